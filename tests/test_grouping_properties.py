"""The native grouper does what the reference does, for any shape and any rows."""

from typing import Any

from hypothesis import event, example, given

from meshaccel import grouping
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Shape

from .strategies import GroupingCase, grouping_cases, many_children

PAIRS = Shape("top", key=("a", "b"), columns=("a", "b"))
NESTED = Shape(
    "top",
    key=("a",),
    columns=("a",),
    children={
        "x": Child(key=("b",), columns=("b",), children={"y": Child(key=("c",), columns=("c",))})
    },
)


def outcome(grouper: Any, rows: list[object]) -> object:
    """What happens, down to the types, the order of names, and the words of an error."""
    try:
        result = grouper.group(rows)
    except Exception as error:  # noqa: BLE001
        return type(error), error.args, str(error)
    event(f"{len(result)} records")
    return repr(result)


def check(case: GroupingCase) -> None:
    native = outcome(grouping.RowGrouper(case.shape), case.rows)
    assert native == outcome(reference.RowGrouper(case.shape), case.rows)


@given(grouping_cases())
@example(GroupingCase(PAIRS, [("a", "bc"), ("ab", "c"), ("a", "bc")]))
@example(GroupingCase(NESTED, [(1, None, 2), (1, 1, 2), (True, 1.0, 2), (1, 2, 2)]))
def test_native_groups_as_the_reference(case: GroupingCase) -> None:
    check(case)


@given(grouping_cases(malformed=True))
@example(GroupingCase(PAIRS, [(1, [2])]))
@example(GroupingCase(PAIRS, [([1], [2])]))
def test_malformed_rows_raise_what_the_reference_raises(case: GroupingCase) -> None:
    check(case)


@given(many_children())
def test_large_families_are_grouped_as_the_reference_does(case: GroupingCase) -> None:
    check(case)
