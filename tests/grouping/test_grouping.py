"""What grouping promises, case by case; the properties of arbitrary rows are tested beside."""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.strategies import NAN, SequenceOnly

from meshaccel import grouping
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Row, Shape

AGENTS = Shape(
    "agents",
    key=("id",),
    columns=("id", "name"),
    children={
        "tools": Child(
            key=("id",),
            columns=("id", "label"),
            children={"tags": Child(key=("tag",), columns=("tag",))},
        ),
        "hosts": Child(key=("host",), columns=("host",)),
    },
)
QUERY = """
    SELECT a.id, a.name, t.id, t.label, g.tag, h.host
    FROM agents a
    LEFT JOIN tools t ON a.id = t.agent
    LEFT JOIN tags g ON g.tool = t.id
    LEFT JOIN hosts h ON a.id = h.agent
    ORDER BY {order}
"""
PAIR = Shape("pairs", key=("a", "b"), columns=("a", "b"))
ONE = Shape("things", key=("id",), columns=("id", "value"))

Group = Callable[[Shape, Any], list[dict[str, object]]]


@pytest.fixture(params=[grouping.RowGrouper, reference.RowGrouper], ids=["native", "reference"])
def group(request: pytest.FixtureRequest) -> Group:
    """Group with each implementation in turn."""
    return lambda shape, rows: request.param(shape).group(rows)


@pytest.fixture
def mesh() -> Iterator[sqlite3.Connection]:
    """Two agents with tools, tags and hosts, and one without any."""
    connection = sqlite3.connect(":memory:")
    connection.executescript("""
        CREATE TABLE agents (id TEXT COLLATE NOCASE, name);
        CREATE TABLE tools (id, agent TEXT, label);
        CREATE TABLE tags (tool, tag);
        CREATE TABLE hosts (agent TEXT, host);
        INSERT INTO agents VALUES ('a', 'first'), ('b', NULL), ('c', NULL);
        INSERT INTO tools VALUES (1, 'A', 'same'), (2, 'A', 'same'), (3, 'b', NULL);
        INSERT INTO tags VALUES (1, 'x'), (1, 'y'), (3, 'x');
        INSERT INTO hosts VALUES ('a', 'h1'), ('a', 'h2');
    """)
    yield connection
    connection.close()


def agents() -> list[dict[str, object]]:
    return [
        {
            "id": "a",
            "name": "first",
            "tools": [
                {"id": 1, "label": "same", "tags": [{"tag": "x"}, {"tag": "y"}]},
                {"id": 2, "label": "same", "tags": []},
            ],
            "hosts": [{"host": "h1"}, {"host": "h2"}],
        },
        {
            "id": "b",
            "name": None,
            "tools": [{"id": 3, "label": None, "tags": [{"tag": "x"}]}],
            "hosts": [],
        },
        {"id": "c", "name": None, "tools": [], "hosts": []},
    ]


def test_collections_of_one_join_neither_multiply_nor_lose_records(
    group: Group, mesh: sqlite3.Connection
) -> None:
    """Equal-looking tools stay two, and NOCASE children are those the database matched."""
    rows = mesh.execute(QUERY.format(order="a.id, t.id, g.tag, h.host"))
    assert group(AGENTS, rows) == agents()


def test_rows_need_no_order(group: Group, mesh: sqlite3.Connection) -> None:
    rows = mesh.execute(QUERY.format(order="h.host, g.tag DESC, t.id, a.id")).fetchall()
    assert [row[0] for row in rows] == ["b", "c", "a", "a", "a", "a", "a", "a"]
    b, c, a = group(AGENTS, rows)
    assert [b, c] == agents()[1:]
    assert a == {
        **agents()[0],
        "tools": [
            {"id": 1, "label": "same", "tags": [{"tag": "y"}, {"tag": "x"}]},
            {"id": 2, "label": "same", "tags": []},
        ],
    }


def test_records_in_first_seen_order_children_in_row_order(group: Group) -> None:
    shape = Shape(
        "p", key=("p",), columns=("p",), children={"c": Child(key=("c",), columns=("c",))}
    )
    rows = [(2, "z"), (1, "y"), (2, "a"), (1, "x"), (2, "z")]
    assert group(shape, rows) == [
        {"p": 2, "c": [{"c": "z"}, {"c": "a"}]},
        {"p": 1, "c": [{"c": "y"}, {"c": "x"}]},
    ]


def test_the_first_row_of_a_key_gives_the_values(group: Group) -> None:
    assert group(ONE, [(1, "first"), (True, "later"), (1.0, None)]) == [{"id": 1, "value": "first"}]


def test_names_come_in_declaration_order_children_last(group: Group) -> None:
    (record,) = group(AGENTS, [("a", "n", None, None, None, None)])
    assert list(record) == ["id", "name", "tools", "hosts"]


def test_a_child_is_absent_if_its_key_is_null_whatever_else_is_not(group: Group) -> None:
    (record,) = group(AGENTS, [("a", "n", None, "label", "tag", "h")])
    assert record["tools"] == []
    assert record["hosts"] == [{"host": "h"}]


def test_present_columns_decide_where_given(group: Group) -> None:
    child = Child(key=("k",), columns=("k", "owner"), present=("owner",))
    shape = Shape("p", key=("p",), columns=("p",), children={"c": child})
    assert group(shape, [(1, None, "o"), (1, "k", None), (1, None, "again")]) == [
        {"p": 1, "c": [{"k": None, "owner": "o"}]}
    ]


def test_without_key_every_row_with_a_child_is_one(group: Group) -> None:
    child = Child(key=(), columns=("v", "w"), present=("v",))
    shape = Shape("p", key=("p",), columns=("p",), children={"c": child})
    assert group(shape, [(1, "v", 0), (1, "v", 0), (1, None, 0)]) == [
        {"p": 1, "c": [{"v": "v", "w": 0}, {"v": "v", "w": 0}]}
    ]


@pytest.mark.parametrize(
    ("keys", "distinct"),
    [
        ((1, 1.0, True), 1),
        (("1", b"1", 1), 3),
        ((0.0, -0.0, 0, False), 1),
        ((NAN, NAN), 1),
        ((float("nan"), float("nan")), 2),
        ((2**53, 2**53 + 1, float(2**53)), 2),
        ((0, 2**61 - 1, -1, -2), 4),  # 0 and 2**61 - 1, and -1 and -2, have one hash
        (("", b"", ()), 3),
        (((1,), (1.0,), (True,)), 1),
        (("a", "a\0", "ä", "a\u0308"), 4),
        (("key" * 9, "".join(["key"] * 9)), 1),
    ],
)
def test_keys_are_equal_as_dict_keys_are(
    group: Group, keys: tuple[object, ...], distinct: int
) -> None:
    assert len(dict.fromkeys(keys)) == distinct
    assert len(group(ONE, [(key, None) for key in keys])) == distinct
    assert len(group(PAIR, [(key, "x") for key in keys])) == distinct


def test_composite_keys_are_tuples_not_text(group: Group) -> None:
    assert len(group(PAIR, [("a", "bc"), ("ab", "c"), ("abc", ""), ("a", "bc")])) == 3


def test_a_key_that_is_null_in_part_is_a_key(group: Group) -> None:
    assert len(group(PAIR, [(1, None), (1, None), (None, 1)])) == 2


def test_rows_with_a_null_key_can_be_skipped(group: Group) -> None:
    shape = Shape("pairs", key=("a", "b"), columns=("a", "b"), null_key="skip")
    assert group(shape, [(None, None), (1, None)]) == [{"a": 1, "b": None}]


def test_any_sequence_is_a_row(group: Group, mesh: sqlite3.Connection) -> None:
    mesh.row_factory = sqlite3.Row
    pair = namedtuple("pair", "a b")  # noqa: PYI024
    rows: list[Row] = [("a", 1), ["b", 2], pair("c", 3), SequenceOnly(("d", 4))]
    rows += mesh.execute("SELECT 'e' AS id, 5 AS id")
    expected = [{"id": key, "value": n} for n, key in enumerate("abcde", 1)]
    assert group(ONE, rows) == expected
    assert group(ONE, iter(rows)) == expected


def test_no_rows_no_records(group: Group) -> None:
    assert group(ONE, []) == []


def test_unhashable_values_outside_of_keys_are_fine(group: Group) -> None:
    document = {"a": [1]}
    (record,) = group(ONE, [(1, document)])
    assert record["value"] is document
