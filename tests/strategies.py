"""Hypothesis strategies shared by the property tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import overload

from hypothesis import strategies as st

from meshaccel.shape import Child, Shape

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

NO_ROWS: tuple[object, ...] = (None, 5, object(), "text", b"bytes", {0: 1}, {1, 2}, iter(()))


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


@dataclass(frozen=True)
class GroupingCase:
    """A shape and rows for it."""

    shape: Shape
    rows: list[object]


@st.composite
def _columns(draw: st.DrawFn) -> tuple[str, ...]:
    return tuple(f"c{n}" for n in range(draw(st.integers(1, 3))))


@st.composite
def _child(draw: st.DrawFn, depth: int) -> Child:
    columns = draw(_columns())
    key = columns[: draw(st.integers(0, len(columns)))]
    some = st.sampled_from(columns).map(lambda column: (column,))
    present = draw(some if not key else st.one_of(st.just(()), some))
    return Child(key=key, columns=columns, present=present, children=draw(_children(depth)))


def _children(depth: int) -> st.SearchStrategy[Mapping[str, Child]]:
    if depth == 0:
        return st.just({})
    return st.dictionaries(st.sampled_from(("x", "y", "z")), _child(depth - 1), max_size=3)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Shapes of up to three levels, with keys of any length."""
    columns = draw(_columns())
    return Shape(
        "top",
        key=columns[-draw(st.integers(1, len(columns))) :],
        columns=columns,
        children=draw(_children(2)),
        null_key=draw(st.sampled_from(("skip", "skip", "error"))),
    )


@st.composite
def grouping_cases(draw: st.DrawFn, *, malformed: bool = False) -> GroupingCase:
    """Rows that repeat a few values, in any order and of any kind of sequence."""
    shape = draw(shapes())
    pool = draw(st.lists(st.sampled_from(KEY_VALUES), min_size=1, max_size=4))
    values = st.sampled_from(pool)
    widths = st.just(shape.width)
    if malformed:
        # By index, as sampled_from would hash the values.
        values |= st.integers(0, len(UNHASHABLE_VALUES) - 1).map(UNHASHABLE_VALUES.__getitem__)
        widths |= st.integers(0, shape.width + 2)
    rows: st.SearchStrategy[object] = widths.flatmap(
        lambda width: st.builds(
            lambda kind, row: kind(row),
            st.sampled_from((tuple, tuple, list, TupleSubclass, SequenceOnly)),
            st.lists(values, min_size=width, max_size=width),
        )
    )
    if malformed:
        rows |= st.sampled_from(NO_ROWS)
    return GroupingCase(shape, draw(st.lists(rows, max_size=12)))


@st.composite
def many_children(draw: st.DrawFn) -> GroupingCase:
    """Parents with more children than are searched one by one, in shuffled rows."""
    keys = draw(st.sets(st.integers(), min_size=15, max_size=40))
    rows: list[object] = [(parent, key) for parent in ("a", "b") for key in sorted(keys)]
    rows += draw(st.lists(st.sampled_from(rows), max_size=20))
    child = Child(key=("key",), columns=("key",))
    shape = Shape("top", key=("id",), columns=("id",), children={"x": child})
    return GroupingCase(shape, draw(st.permutations(rows)))
