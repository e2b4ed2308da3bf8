"""Rows that do not fit their shape, and values that fail, for both groupers."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.naming import named
from tests.strategies import (
    NO_ROWS,
    UNHASHABLE_VALUES,
    Grumpy,
    Key,
    SequenceOnly,
    complain,
    nothing,
)

from meshaccel import grouping
from meshaccel.errors import (
    GroupingError,
    NullKeyError,
    RowTypeError,
    RowWidthError,
    UnhashableKeyError,
)
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Row, Shape

ONE = Shape("things", key=("id",), columns=("id", "value"))
TOOLS = Child(key=("id",), columns=("id",))
AGENTS = Shape("agents", key=("id",), columns=("id",), children={"tools": TOOLS})

Group = Callable[[Shape, Any], list[dict[str, object]]]


@pytest.fixture(params=[grouping.RowGrouper, reference.RowGrouper], ids=["native", "reference"])
def group(request: pytest.FixtureRequest) -> Group:
    """Group with each implementation in turn."""
    return lambda shape, rows: request.param(shape).group(rows)


def test_a_null_key_is_an_error_that_names_table_and_row(group: Group) -> None:
    with pytest.raises(NullKeyError, match=r"^row 1: the key of 'things' is NULL$") as caught:
        group(ONE, [(1, None), (None, "value")])
    assert (caught.value.row, caught.value.table) == (1, "things")


@pytest.mark.parametrize("row", NO_ROWS, ids=named)
def test_what_is_no_row_is_named(group: Group, row: object) -> None:
    with pytest.raises(RowTypeError, match=f"^row 1: .* got {type(row).__name__}$"):
        group(ONE, [(1, 2), row])


@pytest.mark.parametrize("kind", [tuple, list, SequenceOnly])
@pytest.mark.parametrize("width", [0, 1, 3])
def test_a_row_of_wrong_width_is_named(
    group: Group, kind: Callable[[list[int]], Row], width: int
) -> None:
    message = f"^row 1: got {width} values, the shape has 2 columns$"
    with pytest.raises(RowWidthError, match=message):
        group(ONE, [(1, 2), kind([1] * width)])


@pytest.mark.parametrize("value", UNHASHABLE_VALUES, ids=lambda value: type(value).__name__)
def test_an_unhashable_key_is_named(group: Group, value: object) -> None:
    with pytest.raises(UnhashableKeyError, match=r"^row 1: key column 'tools.id' holds") as caught:
        group(AGENTS, [("a", 1), ("a", value)])
    assert caught.value.type_name == type(value).__name__
    assert isinstance(caught.value.__cause__, TypeError | ValueError)


def test_an_unhashable_value_equal_to_the_last_key_is_still_refused(group: Group) -> None:
    with pytest.raises(UnhashableKeyError):
        group(ONE, [(frozenset({1}), 0), ({1}, 0)])


def test_errors_are_grouping_errors_and_pickle() -> None:
    for error in (RowTypeError(1, "int"), RowWidthError(1, 2, 3), NullKeyError(1, "t")):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert isinstance(copy, GroupingError)
        assert isinstance(copy, ValueError)
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def unhashable_part() -> None:
    hash([])


def test_errors_of_values_and_rows_come_through_unchanged(group: Group) -> None:
    class BadRow(SequenceOnly):
        def __getitem__(self, index: Any) -> Any:
            raise Grumpy

    class BadLength(SequenceOnly):
        def __len__(self) -> int:
            raise Grumpy

    def bad_rows() -> Iterator[Row]:
        yield (1, 1)
        raise Grumpy

    bad_key = Key(nothing, complain)
    for rows in (
        [(Key(complain, nothing), 0)],
        [(bad_key, 0), (Key(nothing, complain), 0)],
        [BadRow((1, 2))],
        [BadLength((1, 2))],
        bad_rows(),
    ):
        with pytest.raises(Grumpy):
            group(ONE, rows)
    with pytest.raises(TypeError) as caught:
        group(ONE, [(Key(unhashable_part, nothing), 0)])
    assert type(caught.value) is TypeError  # its own failure, not that of its type
    with pytest.raises(TypeError):
        group(ONE, 5)
