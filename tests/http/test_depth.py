"""The measure of how deep a body nests, against a plain recursive one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.errors import InvalidRequestError
from meshaccel.http import wire
from meshaccel.metadata import json_depth
from meshaccel.registry.declared import ToolReader
from meshaccel.registry.records import Records

Json = object

# Whatever could be mistaken: brackets, quotes and backslashes inside strings.
TEXT = st.text(alphabet='[]{}"\\ a\n,:')
VALUES = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


def depth(value: Json) -> int:
    """Return how deep a value nests: 0 for one that is not an array or an object."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(VALUES)
def test_depth_is_measured_as_it_is(value: Json) -> None:
    """Whatever its strings hold."""
    assert json_depth(msgspec.json.encode(value)) == depth(value)


@given(st.binary())
def test_of_other_bytes_it_says_something(text: bytes) -> None:
    assert 0 <= json_depth(text) <= len(text)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("within", ["tools", "unknown"])
def test_limit(within: str, *, known: bool) -> None:
    """The deepest body that is taken has exactly as many levels as the limit says."""
    tools = ToolReader(Records())

    def body(levels: int) -> bytes:
        nested = b"[" * (levels - 4) + b"]" * (levels - 4)
        tool = b'{"function_name":"f","kwargs":{"k":%b}}' % (nested if within == "tools" else b"1")
        rest = b'{"k":[%b]}' % (nested if within == "unknown" else b"")
        return b'{"agent_id":"a","tools":[%b],"x":[%b]}' % (tool, rest)

    if known:
        wire.read_declaration(body(10), tools)
    assert wire.read_declaration(body(wire.MAX_DEPTH), tools).agent_id == "a"
    with pytest.raises(InvalidRequestError, match="deeper"):
        wire.read_declaration(body(wire.MAX_DEPTH + 1), tools)
