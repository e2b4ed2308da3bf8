"""What streams promise, case by case; both groupers keep it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.strategies import Grumpy, Key, complain, nothing

from meshaccel import grouping
from meshaccel.errors import (
    InvalidJsonError,
    JsonValueError,
    OrphanError,
    RowWidthError,
    StreamBusyError,
    TooManyRowsError,
)
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Row, Shape

ONE = Shape("things", key=("id",), columns=("id", "value"))
DOCUMENTS = Shape("things", key=("id",), columns=("id", "value"), json={"value": "eager"})
TOOLS = Child(
    key=("id",),
    columns=("id", "label"),
    children={"tags": Child(key=("tag",), columns=("tag",))},
)
HOSTS = Child(key=("host",), columns=("host",))
AGENTS = Shape(
    "agents", key=("id",), columns=("id", "name"), children={"tools": TOOLS, "hosts": HOSTS}
)

Grouper = Callable[..., Any]


@pytest.fixture(params=[grouping.RowGrouper, reference.RowGrouper], ids=["native", "reference"])
def grouper(request: pytest.FixtureRequest) -> Grouper:
    """Each implementation in turn."""
    cls: Grouper = request.param
    return cls


LEVELS: dict[str, list[Row]] = {
    "": [("a", "first"), ("b", None)],
    "tools": [("a", 1, "x"), ("b", 1, "y"), ("a", 2, "z")],
    "tools.tags": [("a", 1, "red"), ("a", 1, "blue"), ("b", 1, "red")],
    "hosts": [("b", "h1"), ("a", "h2")],
}
RECORDS = [
    {
        "id": "a",
        "name": "first",
        "tools": [
            {"id": 1, "label": "x", "tags": [{"tag": "red"}, {"tag": "blue"}]},
            {"id": 2, "label": "z", "tags": []},
        ],
        "hosts": [{"host": "h2"}],
    },
    {
        "id": "b",
        "name": None,
        "tools": [{"id": 1, "label": "y", "tags": [{"tag": "red"}]}],
        "hosts": [{"host": "h1"}],
    },
]


@pytest.mark.parametrize("order", [["", "tools", "tools.tags", "hosts"], ["", "hosts", "tools"]])
def test_rows_of_each_level_make_nested_records(grouper: Grouper, order: list[str]) -> None:
    stream = grouper(AGENTS).stream()
    for path in order:
        assert stream.feed(LEVELS[path], path) == []
    if "tools.tags" not in order:
        stream.feed(LEVELS["tools.tags"], level="tools.tags")
    assert stream.finish() == RECORDS
    assert stream.finish() == []


def test_levels_become_json_too(grouper: Grouper) -> None:
    stream = grouper(AGENTS).stream()
    for path, rows in LEVELS.items():
        stream.feed(iter(rows), path)
    assert json.loads(stream.finish_json()) == RECORDS
    assert stream.finish_json() == b"[]"


def test_a_grouper_has_a_stream_of_its_own(grouper: Grouper) -> None:
    own = grouper(ONE)
    other = own.stream()
    assert own.feed([(1, "a")]) is None
    other.feed([(2, "b")])
    own.feed([(1, "again"), (3, "c")])
    assert own.group([(4, "d")]) == [{"id": 4, "value": "d"}]
    assert own.finish() == [{"id": 1, "value": "a"}, {"id": 3, "value": "c"}]
    assert own.finish() == []
    assert other.finish() == [{"id": 2, "value": "b"}]


def test_an_orphan_is_refused_or_ignored_but_never_adopted(grouper: Grouper) -> None:
    message = r"^row 1 of 'tools': there is no parent with key \('z',\)$"
    stream = grouper(AGENTS).stream()
    stream.feed(LEVELS[""], "")
    with pytest.raises(OrphanError, match=message) as caught:
        stream.feed([("a", 1, "x"), ("z", 1, "x")], "tools")
    assert (caught.value.row, caught.value.path, caught.value.key) == (1, "tools", ("z",))
    with pytest.raises(OrphanError, match=r"^row 0 of 'tools.tags': .* key \(2,\)$"):
        stream.feed([("a", 2, "red")], "tools.tags")
    records = stream.finish()
    assert [len(record["tools"]) for record in records] == [1, 0]

    lenient = Shape(
        "agents", key=("id",), columns=("id",), children={"hosts": HOSTS}, orphans="ignore"
    )
    stream = grouper(lenient).stream()
    stream.feed([("z", "h")], "hosts")
    stream.feed([("z",)], "")
    assert stream.finish() == [{"id": "z", "hosts": []}]


def test_rows_are_numbered_over_the_whole_stream_for_each_level(grouper: Grouper) -> None:
    stream = grouper(AGENTS).stream()
    stream.feed(LEVELS[""], "")
    stream.feed(LEVELS["hosts"], "hosts")
    with pytest.raises(RowWidthError, match=r"^row 2: got 1 values, the shape has 2 columns$"):
        stream.feed([("a",)], "hosts")
    with pytest.raises(RowWidthError, match=r"^row 3: "):
        stream.feed([()], "hosts")
    with pytest.raises(RowWidthError, match=r"^row 2: "):
        stream.feed([()], "")
    with pytest.raises(RowWidthError, match=r"^row 0: "):
        stream.feed([()])
    stream.finish()
    with pytest.raises(RowWidthError, match=r"^row 0: "):
        stream.feed([()], "hosts")


def test_a_refused_row_leaves_no_trace_and_the_stream_goes_on(grouper: Grouper) -> None:
    """The row would open three records; only the last of its values is bad."""
    stream = grouper(AGENTS).stream()
    stream.feed([("a", "n", 1, "x", None, None)])
    refused: list[Row] = [
        ("b", "n", 1, "x", "red", Key(complain, nothing)),
        ("a", "n", 2, "x", "red", Key(complain, nothing)),
    ]
    for row in refused:
        with pytest.raises(Grumpy):
            stream.feed([row])
    stream.feed([("b", "later", None, None, None, "h")])
    assert stream.finish() == [
        {"id": "a", "name": "n", "tools": [{"id": 1, "label": "x", "tags": []}], "hosts": []},
        {"id": "b", "name": "later", "tools": [], "hosts": [{"host": "h"}]},
    ]


def test_a_row_with_a_bad_document_leaves_no_trace(grouper: Grouper) -> None:
    stream = grouper(DOCUMENTS).stream()
    with pytest.raises(InvalidJsonError) as caught:
        stream.feed([(1, "[1]"), (2, "[1"), (3, "[3]")])
    assert (caught.value.row, caught.value.column, caught.value.key) == (1, "things.value", (2,))
    stream.feed([(2, "[2]")])
    assert stream.finish() == [{"id": 1, "value": [1]}, {"id": 2, "value": [2]}]


def test_documents_cannot_change_after_they_were_fed(grouper: Grouper) -> None:
    stream = grouper(DOCUMENTS).stream()
    text = bytearray(b"[1]")
    stream.feed([(1, text), (2, memoryview(text))])
    text[:] = b"[!]"
    assert stream.finish() == [{"id": 1, "value": [1]}, {"id": 2, "value": [1]}]


def test_no_more_rows_than_allowed(grouper: Grouper) -> None:
    limited = grouper(ONE, max_rows=2)
    rows = [(1, "a"), (2, "b"), (3, "c")]
    for call in (limited.group, limited.group_json, limited.feed):
        with pytest.raises(TooManyRowsError, match=r"^row 2: more than the 2 rows allowed$"):
            call(rows)
    with pytest.raises(TooManyRowsError, match=r"^row 2: "):
        limited.feed(rows)
    assert [record["id"] for record in limited.finish()] == [1, 2]
    limited.feed(rows[:2])
    assert limited.group([]) == []


def test_max_rows_must_be_possible() -> None:
    with pytest.raises(ValueError, match="max_rows must not be negative, got -1"):
        grouping.RowGrouper(ONE, max_rows=-1)


def test_levels_that_cannot_be_fed_are_named(grouper: Grouper) -> None:
    keyless = Child(key=(), columns=("v",), present=("v",), children={"hosts": HOSTS})
    shape = Shape("agents", key=("id",), columns=("id",), children={"notes": keyless})
    stream = grouper(shape).stream()
    with pytest.raises(ValueError, match="agents: no collection is called 'tools'"):
        stream.feed([], "tools")
    with pytest.raises(ValueError, match="notes: without a key, children"):
        stream.feed([], "notes.hosts")
    stream.feed([("a",)], "")
    stream.feed([("a", 1), ("a", 1), ("a", None)], "notes")
    assert stream.finish() == [{"id": "a", "notes": [{"v": 1, "hosts": []}] * 2}]


def test_json_that_cannot_be_written_loses_nothing(grouper: Grouper) -> None:
    stream = grouper(ONE).stream()
    stream.feed([(1, {1, 2})])
    with pytest.raises(JsonValueError):
        stream.finish_json()
    with pytest.raises(Grumpy):
        stream.finish_json(default=lambda _: complain())
    assert json.loads(stream.finish_json(default=sorted)) == [{"id": 1, "value": [1, 2]}]


def test_rows_cannot_use_the_stream_they_go_into(grouper: Grouper) -> None:
    stream = grouper(ONE).stream()
    busy: list[type[Exception]] = []

    def meddle() -> None:
        for call in (lambda: stream.feed([]), stream.finish, stream.finish_json):
            with pytest.raises(StreamBusyError) as caught:
                call()
            busy.append(caught.type)

    def rows() -> Iterator[Row]:
        yield (1, "a")
        meddle()
        yield (Key(meddle, meddle), "b")
        yield (Key(meddle, nothing), "c")

    stream.feed(rows())
    assert len(busy) >= 9
    assert [record["value"] for record in stream.finish()] == ["a", "b", "c"]


def test_what_makes_json_of_values_cannot_use_the_stream(grouper: Grouper) -> None:
    stream = grouper(ONE).stream()
    stream.feed([(1, {1})])
    with pytest.raises(StreamBusyError, match="at work in another thread, or further up"):
        stream.finish_json(default=lambda _: stream.finish())
    assert stream.finish() == [{"id": 1, "value": {1}}]


def test_values_may_use_other_streams(grouper: Grouper) -> None:
    own = grouper(ONE)
    inner = own.stream()
    stream = own.stream()
    stream.feed([(Key(lambda: inner.feed([(1, "in")]), nothing), "out")])
    assert inner.finish() == [{"id": 1, "value": "in"}]
    assert [record["value"] for record in stream.finish()] == ["out"]
