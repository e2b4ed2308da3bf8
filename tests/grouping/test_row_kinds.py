"""Rows as drivers give them: by position or by name."""

import asyncio
import sqlite3
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import rows as psycopg_rows

from meshaccel import grouping
from meshaccel.errors import AmbiguousColumnError, MissingColumnError, RowWidthError
from meshaccel.reference import grouping as reference
from meshaccel.shape import Child, Row, Shape

TOOLS = Child(key=("id",), columns=("id", "label"))
AGENTS = Shape("agents", key=("id",), columns=("id", "name"), children={"tools": TOOLS})
RECORDS = [
    {"id": "a", "name": "first", "tools": [{"id": 1, "label": "x"}, {"id": 2, "label": None}]},
    {"id": "b", "name": None, "tools": []},
]
ROWS = [("a", "first", 1, "x"), ("a", "first", 2, None), ("b", None, None, None)]
SELECT = """
    SELECT a.id AS "agents.id", a.name AS "agents.name",
        t.id AS "tools.id", t.label AS "tools.label"
    FROM (VALUES ('a', 'first'), ('b', NULL)) AS a (id, name)
    LEFT JOIN (VALUES (1, 'x', 'a'), (2, NULL, 'a')) AS t (id, label, agent) ON t.agent = a.id
    ORDER BY a.id, t.id
"""

Group = Callable[[Shape, Any], list[dict[str, object]]]


@pytest.fixture(params=[grouping.RowGrouper, reference.RowGrouper], ids=["native", "reference"])
def group(request: pytest.FixtureRequest) -> Group:
    """Group with each implementation in turn."""
    return lambda shape, rows: request.param(shape).group(rows)


def named(row: tuple[object, ...]) -> dict[str, object]:
    return dict(zip(AGENTS.row_columns(), row, strict=True))


@pytest.mark.parametrize("kind", [dict, OrderedDict, lambda row: defaultdict(int, row)])
def test_a_dict_is_read_by_label_in_any_order(group: Group, kind: Callable[..., Row]) -> None:
    rows = [kind({"more": 1, **dict(reversed(named(row).items()))}) for row in ROWS]
    assert group(AGENTS, rows) == RECORDS


def test_a_dict_is_read_by_bare_names_where_they_are_unique(group: Group) -> None:
    rows = [
        {"agents.id": agent, "name": name, "tools.id": tool, "label": label}
        for agent, name, tool, label in ROWS
    ]
    assert group(AGENTS, rows) == RECORDS
    label_counts = [{**row, "agents.name": "label"} for row in rows]
    assert [record["name"] for record in group(AGENTS, label_counts)] == ["label"] * 2


def test_names_need_to_be_unique_only_in_the_rows_of_a_level() -> None:
    stream = grouping.RowGrouper(AGENTS).stream()
    stream.feed([{"id": "a", "name": "first"}], "")
    stream.feed([{"agents.id": "a", "tools.id": 1, "label": "x"}], "tools")
    with pytest.raises(AmbiguousColumnError, match=r"^row 1: no value for column 'tools.id'"):
        stream.feed([{"agents.id": "a", "id": 2, "label": "x"}], "tools")
    assert stream.finish() == [{"id": "a", "name": "first", "tools": [{"id": 1, "label": "x"}]}]


def test_a_name_for_two_columns_is_refused(group: Group) -> None:
    message = r"^row 1: no value for column 'agents.id', and without its path the name means sev"
    with pytest.raises(AmbiguousColumnError, match=message) as caught:
        group(AGENTS, [named(ROWS[0]), {"id": "a", "name": "n", "label": "x"}])
    assert (caught.value.row, caught.value.column) == (1, "agents.id")


def test_a_column_that_is_missing_is_named(group: Group) -> None:
    row = named(ROWS[0])
    del row["tools.label"]
    with pytest.raises(MissingColumnError, match=r"^row 0: no value for column 'tools.label'$"):
        group(AGENTS, [row])
    with pytest.raises(MissingColumnError, match=r"'agents\.id'"):
        group(AGENTS, [defaultdict(int)])


def test_rows_of_different_kinds_go_together(group: Group) -> None:
    pair = namedtuple("pair", "id name tool label")  # noqa: PYI024
    assert group(AGENTS, [pair(*ROWS[0]), named(ROWS[1]), list(ROWS[2])]) == RECORDS


def test_a_named_tuple_that_reads_otherwise_is_believed(group: Group) -> None:
    class Upside(tuple[object, ...]):
        __slots__ = ()

        def __getitem__(self, index: Any) -> Any:
            return tuple(self)[-1 - index]

    assert group(AGENTS, [Upside(reversed(row)) for row in ROWS]) == RECORDS


def test_rows_of_sqlite3(group: Group) -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript("""
        CREATE TABLE a (id, name);
        CREATE TABLE t (id, label, agent);
        INSERT INTO a VALUES ('a', 'first'), ('b', NULL);
        INSERT INTO t VALUES (1, 'x', 'a'), (2, NULL, 'a');
    """)
    rows: Any = connection.execute(
        "SELECT a.id, name, t.id, label FROM a LEFT JOIN t ON t.agent = a.id ORDER BY a.id, t.id"
    )
    assert group(AGENTS, rows) == RECORDS
    with pytest.raises(RowWidthError, match="got 1 values"):
        group(AGENTS, connection.execute("SELECT 1"))
    connection.close()


def test_rows_of_asyncpg(group: Group, postgres_uri: str) -> None:
    async def fetch() -> Any:
        connection = await asyncpg.connect(postgres_uri)
        try:
            return await connection.fetch(SELECT)
        finally:
            await connection.close()

    rows = asyncio.run(fetch())
    assert type(rows[0]) is asyncpg.Record
    assert group(AGENTS, rows) == RECORDS


@pytest.mark.parametrize("factory", ["tuple_row", "dict_row", "namedtuple_row"])
def test_rows_of_psycopg(group: Group, postgres_uri: str, factory: str) -> None:
    row_factory = getattr(psycopg_rows, factory)
    with psycopg.connect(postgres_uri, row_factory=row_factory) as connection:
        assert group(AGENTS, connection.execute(SELECT)) == RECORDS
