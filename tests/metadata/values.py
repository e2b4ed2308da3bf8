"""Metadata for tests: all that may be interned, and what is odd about it."""

import copy
import random
from collections import OrderedDict
from typing import Any

from hypothesis import strategies as st

NAN = float("nan")

#: Values that are equal without being alike, or alike without being equal.
ODD: tuple[object, ...] = (
    *(None, False, True, 0, 1, -1, 1.0, 0.0, -0.0, NAN, -NAN, float("inf"), float("-inf"), 5e-324),
    *(2**29 - 1, 2**29, -(2**29), -(2**29) - 1, 2**53, float(2**53), 2**63 - 1, 2**63, -(2**63)),
    *(-(2**63) - 1, 2**64, -(2**71), 2**200, -(2**200), 10**300),
    *(
        "",
        "1",
        "a" * 21,
        "a" * 22,
        "é" * 30,
        "\0",
        "\ud800",
        "a\udfffb",
        "\ud800\udc00",
        "😀",
        "null",
    ),
    *("e\u0301", "\u00e9", 'quote"back\\slash\n'),
)

texts = (
    st.text(max_size=30)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["a", "b", "type"])
)
scalars = st.sampled_from(ODD) | texts | st.integers() | st.floats() | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(texts, inner, max_size=7),
    max_leaves=25,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=12),
    max_leaves=30,
)


class Text(str):
    """A subclass of str."""

    __slots__ = ()


class Number(int):
    """A subclass of int."""


def respelt(value: Any, seed: int) -> Any:
    """Return an equal value that has nothing in common: other order, other types, other objects."""
    chance = random.Random(seed)  # noqa: S311 (no secret)

    def spell(value: Any) -> Any:
        if isinstance(value, dict):
            entries = [
                (Text(key) if chance.random() < 0.1 else key, spell(item))
                for key, item in value.items()
            ]
            chance.shuffle(entries)
            return OrderedDict(entries) if chance.random() < 0.2 else dict(entries)
        if isinstance(value, list):
            items = [spell(item) for item in value]
            return tuple(items) if chance.random() < 0.3 else items
        if type(value) is str and chance.random() < 0.2:
            return Text(value)
        if type(value) is int and chance.random() < 0.2:
            return Number(value)
        return copy.deepcopy(value)

    return spell(value)


def exact(value: object) -> str:
    """Tell values apart as a pool does, except for the order of keys, which is sorted."""
    if isinstance(value, dict):
        entries = sorted((ascii(key), exact(item)) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(exact, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return f"{type(value).__name__} {value!a}"
