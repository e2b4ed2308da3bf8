"""Hypothesis strategies for rows and how they are fed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st
from tests.strategies import (
    DOCUMENTS,
    KEY_VALUES,
    NO_DOCUMENTS,
    NO_ROWS,
    UNHASHABLE_VALUES,
    SequenceOnly,
    TupleSubclass,
    shapes,
    values_of,
)

from meshaccel.errors import GroupingError
from meshaccel.reference.group_rows import LabelledRow
from meshaccel.shape import Child, Shape
from meshaccel.shape.levels import Level

KINDS: tuple[Callable[[list[object]], object], ...] = (
    *(tuple, tuple, list, TupleSubclass, SequenceOnly),
)


@dataclass(frozen=True)
class GroupingCase:
    """A shape and joined rows for it."""

    shape: Shape
    rows: list[object]


@dataclass(frozen=True)
class StreamCase:
    """A shape and rows for it in chunks, each of joined rows (None) or of a level."""

    shape: Shape
    feeds: list[tuple[str | None, list[object]]]
    max_rows: int | None
    ordered: bool


@dataclass(frozen=True)
class _Column:
    label: str
    name: str
    is_document: bool


@st.composite
def grouping_cases(draw: st.DrawFn, *, malformed: bool = False, json: bool = False) -> GroupingCase:
    """Rows that repeat a few values, in any order and of any kind."""
    shape = draw(shapes(json=json))
    columns = [column for level in shape.flattened for column in _own(level, level.columns)]
    row = _rows(columns, draw(_pools), malformed=malformed)
    return GroupingCase(shape, draw(st.lists(row, max_size=12)))


@st.composite
def stream_cases(draw: st.DrawFn, *, malformed: bool = False) -> StreamCase:
    """Chunks of joined rows and of rows of any level, in any order; or sorted joined rows."""
    shape = draw(shapes(json=True))
    pool = draw(_pools)
    ordered = draw(st.booleans())
    joined = [column for level in shape.flattened for column in _own(level, level.columns)]
    kinds: dict[str | None, st.SearchStrategy[object]] = {
        None: _rows(joined, pool, malformed=malformed)
    }
    for level in shape.flattened:
        has_parents = all(above.key for above in level.ancestors)
        if malformed or (has_parents and not ordered):
            keys = [column for above in level.ancestors for column in _own(above, above.key)]
            columns = [*keys, *_own(level, level.columns)]
            kinds[level.path] = _rows(columns, pool, malformed=malformed)
    feed = st.sampled_from([*kinds]).flatmap(
        lambda path: st.tuples(st.just(path), st.lists(kinds[path], max_size=4))
    )
    feeds = draw(st.lists(feed, max_size=5))
    if ordered:
        feeds = [(path, sorted(rows, key=partial(_outermost_key, shape))) for path, rows in feeds]
    max_rows = draw(st.one_of(st.none(), st.none(), st.integers(0, 12)))
    return StreamCase(shape, feeds, max_rows, ordered)


@st.composite
def many_children(draw: st.DrawFn) -> GroupingCase:
    """Parents with more children than are searched one by one, in shuffled rows."""
    keys = draw(st.sets(st.integers(), min_size=15, max_size=40))
    rows: list[object] = [(parent, key) for parent in ("a", "b") for key in sorted(keys)]
    rows += draw(st.lists(st.sampled_from(rows), max_size=20))
    child = Child(key=("key",), columns=("key",))
    shape = Shape("top", key=("id",), columns=("id",), children={"x": child})
    return GroupingCase(shape, draw(st.permutations(rows)))


_pools = st.lists(values_of(KEY_VALUES), min_size=1, max_size=4)


def _outermost_key(shape: Shape, row: Any) -> str:
    """Tell rows with alike outermost keys, so that sorting brings them together."""
    columns = [(f"{each.label}.{name}", name) for each in shape.flattened for name in each.columns]
    try:
        return repr(LabelledRow(0, row, columns).key(shape.flattened[0]))
    except GroupingError:
        return ""


def _own(level: Level, columns: Sequence[str]) -> list[_Column]:
    return [
        _Column(f"{level.label}.{column}", column, level.json.get(column, "text") != "text")
        for column in columns
    ]


def _rows(
    columns: Sequence[_Column], pool: Sequence[object], *, malformed: bool
) -> st.SearchStrategy[object]:
    values = [_values(column, pool, malformed=malformed) for column in columns]
    by_position = st.builds(
        lambda kind, row: kind(row), st.sampled_from(KINDS), st.tuples(*values).map(list)
    )
    rows: st.SearchStrategy[object] = by_position | _dicts(columns, values, malformed=malformed)
    if malformed:
        short_or_long = st.lists(values_of(pool), max_size=len(columns) + 2)
        rows = _seldom(values_of(NO_ROWS) | short_or_long, rows)
    return rows


def _seldom(
    bad: st.SearchStrategy[object], good: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    """A stream in which all is bad would show little."""
    return st.integers(0, 9).flatmap(lambda draw: bad if draw == 9 else good)


def _values(
    column: _Column, pool: Sequence[object], *, malformed: bool
) -> st.SearchStrategy[object]:
    values = values_of(DOCUMENTS if column.is_document else pool)
    bad = values_of(NO_DOCUMENTS if column.is_document else UNHASHABLE_VALUES)
    return _seldom(bad, values) if malformed else values


@st.composite
def _dicts(
    draw: st.DrawFn,
    columns: Sequence[_Column],
    values: Sequence[st.SearchStrategy[object]],
    *,
    malformed: bool,
) -> dict[str, object]:
    """Rows by label or, where only one column has it, by bare name; with more than is needed."""
    names = [column.name for column in columns]
    row: dict[str, object] = {"more": object}
    for column, value in zip(columns, values, strict=True):
        choices = [column.label]
        if names.count(column.name) == 1 or (malformed and draw(st.integers(0, 9)) == 9):
            choices.append(column.name)
        row[draw(st.sampled_from(choices))] = draw(value)
    if malformed and draw(st.integers(0, 9)) == 9:
        row.pop(draw(st.sampled_from([*row])))
    return row
