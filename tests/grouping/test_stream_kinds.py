"""Streams of ordered rows, and those that are made for one purpose only."""

from collections.abc import Callable
from typing import Any

import pytest

from meshaccel import grouping
from meshaccel.errors import ReopenedGroupError
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Shape

ONE = Shape("things", key=("id",), columns=("id", "value"))
HOSTS = Child(key=("host",), columns=("host",))

Grouper = Callable[..., Any]


@pytest.fixture(params=[grouping.RowGrouper, reference.RowGrouper], ids=["native", "reference"])
def grouper(request: pytest.FixtureRequest) -> Grouper:
    """Each implementation in turn."""
    cls: Grouper = request.param
    return cls


def test_an_ordered_stream_gives_each_record_once_it_is_complete(grouper: Grouper) -> None:
    shape = Shape("agents", key=("id",), columns=("id",), children={"hosts": HOSTS})
    stream = grouper(shape).stream(ordered=True)
    assert stream.feed([("a", "h1"), ("a", "h2")]) == []
    assert stream.feed([("a", "h1")]) == []
    assert stream.feed([("b", "h1"), ("c", None)]) == [
        {"id": "a", "hosts": [{"host": "h1"}, {"host": "h2"}]},
        {"id": "b", "hosts": [{"host": "h1"}]},
    ]
    assert stream.finish() == [{"id": "c", "hosts": []}]
    assert stream.feed([("a", "h1")]) == []  # begun anew


def test_rows_out_of_order_are_told(grouper: Grouper) -> None:
    stream = grouper(ONE).stream(ordered=True)
    message = r"^row 2: the rows are not ordered, the 'things' record with key \(True,\) was "
    with pytest.raises(ReopenedGroupError, match=message) as caught:
        stream.feed([(1, "a"), (2, "b"), (True, "c"), (3, "d")])
    assert (caught.value.row, caught.value.table, caught.value.key) == (2, "things", (True,))
    assert stream.feed([(2, "b"), (3, "d")]) == [{"id": 1, "value": "a"}, {"id": 2, "value": "b"}]
    assert stream.finish() == [{"id": 3, "value": "d"}]


def test_an_ordered_stream_is_of_joined_rows_and_gives_no_json(grouper: Grouper) -> None:
    stream = grouper(ONE).stream(ordered=True)
    with pytest.raises(ValueError, match="joined rows only"):
        stream.feed([(1, 2)], "")
    stream.feed([(1, 2)])
    with pytest.raises(ValueError, match="one by one"):
        stream.finish_json()
    assert stream.finish() == [{"id": 1, "value": 2}]
