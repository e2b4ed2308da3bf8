"""Hypothesis strategies shared by the property tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import get_args, overload

from hypothesis import strategies as st

from meshaccel.shape import Child, JsonPolicy, Shape

NAN = float("nan")

#: Values that are equal without being alike, alike without being equal, or odd in their own way.
KEY_VALUES: tuple[object, ...] = (
    *(None, 0, 1, -1, 2, 1.0, True, False, 0.0, -0.0, Decimal(1), 1 + 0j),
    *("", "1", b"1", b"", "a", "é", "\udc80", "a\0b"),
    *(2**53, 2**53 + 1, float(2**53), 2**61 - 1, 10**40, -(10**40)),  # hash(2**61 - 1) == hash(0)
    *(NAN, float("inf"), (), (1,), (1.0,), (True, ("a",)), (NAN,), frozenset({1})),
)

UNHASHABLE_VALUES: tuple[object, ...] = (
    *([1], {"a": 1}, {1}, bytearray(b"1")),
    *(("a", [1]), (("b", ({},)),), memoryview(bytearray(b"1"))),
)

DOCUMENTS: tuple[object, ...] = (
    *(None, "[]", " null ", '"é"', "-0", "1e2", "[1, 2.50, true]", b'{"a": {"b": []}}'),
    *('{"a": 1, "a": 2}', bytearray(b'{"a": 1}'), memoryview(b'"x"'), str(10**40)),
)

NO_DOCUMENTS: tuple[object, ...] = (
    *("", "{", "NaN", "[1,]", "1 2", '"\udc80"', '"\\ud800"', b"\xff", "[" * 300 + "]" * 300),
    *(5, True, {"a": 1}, object),
)

NO_ROWS: tuple[object, ...] = (None, 5, object(), "text", b"bytes", {1, 2}, iter(()))


class SequenceOnly(Sequence[object]):
    """A row of which only the protocol of a sequence is known."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        return self._values[index]

    def __iter__(self) -> Iterator[object]:
        raise AssertionError("rows are read by index")


class TupleSubclass(tuple[object, ...]):
    """Stands for named tuples."""

    __slots__ = ()


class Grumpy(Exception):  # noqa: N818
    """Raised by values and rows of the tests."""


class Key:
    """A key that hashes and compares as it is told."""

    def __init__(self, on_hash: Callable[[], object], on_eq: Callable[[], object]) -> None:
        self._on_hash = on_hash
        self._on_eq = on_eq

    def __hash__(self) -> int:
        self._on_hash()
        return 1

    def __eq__(self, other: object) -> bool:
        self._on_eq()
        return self is other


def nothing() -> None:
    """Do nothing."""


def complain() -> None:
    raise Grumpy


def values_of(pool: Sequence[object]) -> st.SearchStrategy[object]:
    """Pick by index, as sampled_from would hash the values."""
    return st.integers(0, len(pool) - 1).map(pool.__getitem__)


@st.composite
def _columns(draw: st.DrawFn) -> tuple[str, ...]:
    return tuple(f"c{n}" for n in range(draw(st.integers(1, 3))))


@st.composite
def _json(draw: st.DrawFn, columns: Sequence[str], key: Sequence[str]) -> dict[str, JsonPolicy]:
    policies: st.SearchStrategy[JsonPolicy] = st.sampled_from(get_args(JsonPolicy))
    return {column: draw(policies) for column in columns if column not in key and draw(_coin)}


_coin = st.booleans()


@st.composite
def _child(draw: st.DrawFn, depth: int, *, json: bool) -> Child:
    columns = draw(_columns())
    key = columns[: draw(st.integers(0, len(columns)))]
    some = st.sampled_from(columns).map(lambda column: (column,))
    return Child(
        key=key,
        columns=columns,
        present=draw(some if not key else st.one_of(st.just(()), some)),
        json=draw(_json(columns, key)) if json else {},
        children=draw(_children(depth, json=json)),
    )


def _children(depth: int, *, json: bool) -> st.SearchStrategy[Mapping[str, Child]]:
    if depth == 0:
        return st.just({})
    names = st.sampled_from(("x", "y", "z"))
    return st.dictionaries(names, _child(depth - 1, json=json), max_size=3)


@st.composite
def shapes(draw: st.DrawFn, *, json: bool = False) -> Shape:
    """Shapes of up to three levels, with keys of any length."""
    columns = draw(_columns())
    key = columns[-draw(st.integers(1, len(columns))) :]
    return Shape(
        "top",
        key=key,
        columns=columns,
        json=draw(_json(columns, key)) if json else {},
        children=draw(_children(2, json=json)),
        null_key=draw(st.sampled_from(("skip", "skip", "error", "group"))),
        orphans=draw(st.sampled_from(("error", "ignore"))),
    )
