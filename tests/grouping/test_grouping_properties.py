"""The native grouper does what the reference does, for any shape and any rows."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import event, example, given
from tests.grouping.cases import (
    GroupingCase,
    StreamCase,
    grouping_cases,
    many_children,
    stream_cases,
)

from meshaccel import grouping
from meshaccel.errors import InvalidJsonError
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Shape

PAIRS = Shape("top", key=("a", "b"), columns=("a", "b"))
NESTED = Shape(
    "top",
    key=("a",),
    columns=("a",),
    children={
        "x": Child(key=("b",), columns=("b",), children={"y": Child(key=("c",), columns=("c",))})
    },
)


def outcome(call: Callable[[], object]) -> object:
    """What happens, down to the types, the order of names, and the words of an error."""
    try:
        result = repr(call())  # decodes what is lazy
    except Exception as error:  # noqa: BLE001
        event(type(error).__name__)
        if isinstance(error, InvalidJsonError):  # each parser has its own words
            return type(error), error.args[:-1]
        if type(error) is ValueError:
            return type(error)
        return type(error), error.args, str(error)
    return result


def check(case: GroupingCase) -> None:
    twins = [module.RowGrouper(case.shape) for module in (grouping, reference)]
    for method in ("group", "group_json"):
        native, expected = (outcome(partial(getattr(twin, method), case.rows)) for twin in twins)
        assert native == expected


@given(grouping_cases())
@example(GroupingCase(PAIRS, [("a", "bc"), ("ab", "c"), ("a", "bc")]))
@example(GroupingCase(NESTED, [(1, None, 2), (1, 1, 2), (True, 1.0, 2), (1, 2, 2)]))
def test_native_groups_as_the_reference(case: GroupingCase) -> None:
    check(case)


@given(grouping_cases(json=True))
def test_documents_are_read_as_the_reference_reads_them(case: GroupingCase) -> None:
    check(case)


@given(grouping_cases(malformed=True, json=True))
@example(GroupingCase(PAIRS, [(1, [2])]))
@example(GroupingCase(PAIRS, [([1], [2])]))
def test_malformed_rows_raise_what_the_reference_raises(case: GroupingCase) -> None:
    check(case)


@given(many_children())
def test_large_families_are_grouped_as_the_reference_does(case: GroupingCase) -> None:
    check(case)


def trace(case: StreamCase, module: Any) -> list[object]:
    """What each call of a stream returns or raises; a failed one must not change the next."""
    grouper = module.RowGrouper(case.shape, max_rows=case.max_rows)
    stream = grouper.stream(ordered=case.ordered)
    results = [outcome(partial(stream.feed, rows, level)) for level, rows in case.feeds]
    return results + [
        outcome(call) for call in (stream.finish_json, stream.finish, stream.finish_json)
    ]


@given(stream_cases())
@example(StreamCase(PAIRS, [(None, [(1, 1), (2, 2), (1.0, True)])], max_rows=None, ordered=True))
def test_streams_give_what_those_of_the_reference_do(case: StreamCase) -> None:
    assert trace(case, grouping) == trace(case, reference)


@given(stream_cases(malformed=True))
def test_a_refused_row_leaves_no_trace(case: StreamCase) -> None:
    assert trace(case, grouping) == trace(case, reference)
