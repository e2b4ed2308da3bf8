"""The measure of how deep a body nests, against a plain recursive one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.http import wire

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


@given(VALUES, st.integers(0, 8))
def test_depth_is_measured_as_it_is(value: Json, limit: int) -> None:
    """A body is shallow exactly if the recursive measure says so, whatever its strings hold."""
    assert wire.is_shallow(msgspec.json.encode(value), limit) == (depth(value) <= limit)


@pytest.mark.parametrize(("levels", "taken"), [(wire.MAX_DEPTH, True), (wire.MAX_DEPTH + 1, False)])
def test_limit(levels: int, *, taken: bool) -> None:
    """The deepest body that is taken has exactly as many levels as the limit says."""
    assert wire.is_shallow(b"[" * levels + b"]" * levels) is taken
