"""Both plans read the same records from Postgres, matched by its own equality."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from meshaccel.reference.grouping import RowGrouper
from meshaccel.shape import Child, Plan, Shape

Records = list[dict[str, object]]
Rows = list[tuple[object, ...]]

PLANS: tuple[Plan, ...] = ("joined", "levels")

SCHEMA = """
    CREATE TEMP TABLE agents (id char(3), rank int NOT NULL, "50%" text NOT NULL, team text);
    CREATE UNIQUE INDEX ON agents (id, rank) NULLS NOT DISTINCT;
    CREATE TEMP TABLE tools (k numeric, "50%" text, agent char(5), rank float8);
    CREATE UNIQUE INDEX ON tools (k) NULLS NOT DISTINCT;
    CREATE TEMP TABLE labels (name varchar, tool int);
    CREATE UNIQUE INDEX ON labels (name) NULLS NOT DISTINCT;
    CREATE TEMP TABLE logs (line text, extra json, label text);
    CREATE TEMP TABLE teams (member char(4), team text);
    CREATE UNIQUE INDEX ON teams (member) NULLS NOT DISTINCT;
"""
LOGS = Child(
    key=(),
    columns=("line", "extra"),
    present=("line",),
    json={"extra": "raw"},
    on={"label": "name"},
)
LABELS = Child(key=("name",), columns=("name",), on={"tool": "k"})
TOOLS = Child(
    key=("k",),
    columns=("k", "50%"),
    order=("-50%",),
    on={"agent": "id", "rank": "rank"},
    children={"labels": LABELS},
)
TEAMS = Child(
    key=("member",),
    columns=("member",),
    on={"team": "team"},
    query="SELECT * FROM pg_temp.teams -- and no other",
)
AGENTS = Shape(
    "pg_temp.agents",
    key=("id", "rank"),
    columns=("id", "rank", "50%"),
    children={"tools": TOOLS, "teams": TEAMS},
    null_key="group",
    order=("-50%",),
    where="rank <> $1",
)
CHAIN = Shape(
    "pg_temp.agents",
    key=("id", "rank"),
    columns=("id", "rank", "50%"),
    children={
        "tools": Child(
            key=("k",),
            columns=("k", "50%"),
            on=TOOLS.on,
            children={
                "labels": Child(
                    key=("name",), columns=("name",), on=LABELS.on, children={"logs": LOGS}
                )
            },
        )
    },
    where="rank <> $1",
    limit=2,
)

words = st.sampled_from(("", "a", "a ", "A", "b", "%"))
nullable = st.one_of(st.none(), words)
numbers = st.integers(0, 2)
CONTENTS = {
    "agents": st.tuples(nullable, numbers, words, nullable),
    "tools": st.tuples(st.one_of(st.none(), numbers), nullable, nullable, numbers),
    "labels": st.tuples(nullable, numbers),
    "logs": st.tuples(nullable, st.sampled_from((None, '{"a": 1}', '{"a":1}', "[]")), nullable),
    "teams": st.tuples(nullable, nullable),
}
contents = st.fixed_dictionaries(
    {table: st.lists(row, min_size=2, max_size=8) for table, row in CONTENTS.items()}
)


class Database:
    """A connection with the tables of this module, to be used without await."""

    def __init__(self, uri: str, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._connection = runner.run(asyncpg.connect(uri))
        runner.run(self._connection.execute(SCHEMA))

    def fill(self, contents: Mapping[str, Rows]) -> None:
        """Replace all rows; those whose key is there already are left out."""
        self._runner.run(self._connection.execute(f"TRUNCATE {', '.join(contents)}"))
        for table, rows in contents.items():
            places = ", ".join(f"${n + 1}" for n in range(len(rows[0])))
            text = f"INSERT INTO {table} VALUES ({places}) ON CONFLICT DO NOTHING"
            self._runner.run(self._connection.executemany(text, rows))

    def read(self, shape: Shape, plan: Plan, params: Sequence[object], **page: Any) -> Records:
        """Run the statements of a plan and group what they return."""
        grouper = RowGrouper(shape)
        for statement in shape.sql(plan, paramstyle="numeric_dollar", params=1, **page):
            rows = self._runner.run(self._connection.fetch(statement.text, *params))
            grouper.feed(rows, statement.path)
        return grouper.finish()

    def close(self) -> None:
        """Close the connection, which drops the tables."""
        self._runner.run(self._connection.close())


@pytest.fixture(scope="module")
def database(postgres_uri: str) -> Iterator[Database]:
    with asyncio.Runner() as runner:
        database = Database(postgres_uri, runner)
        yield database
        database.close()


def test_padding_and_numeric_types_are_matched_by_the_database(database: Database) -> None:
    database.fill(
        {
            "agents": [("a", 1, "x", "red"), (None, 1, "y", "red"), ("b", 2, "z", None)],
            "tools": [(1, "t", "a", 1.0), (2, None, "a", 1.0), (None, "no", "a", 1.0)],
            "labels": [("l", 1)],
            "logs": [("line", None, "l")],
            "teams": [("m", "red")],
        }
    )
    teams = [{"member": "m   "}]
    for plan in PLANS:
        assert database.read(AGENTS, plan, [7]) == [
            {"id": "b  ", "rank": 2, "50%": "z", "tools": [], "teams": []},
            {"id": None, "rank": 1, "50%": "y", "tools": [], "teams": teams},
            {
                "id": "a  ",
                "rank": 1,
                "50%": "x",
                "tools": [
                    {"k": 2, "50%": None, "labels": []},
                    {"k": 1, "50%": "t", "labels": [{"name": "l"}]},
                ],
                "teams": teams,
            },
        ]


@settings(max_examples=50)
@given(contents, st.sampled_from((AGENTS, CHAIN)), numbers)
def test_both_plans_read_the_same_whatever_is_there(
    database: Database, contents: Mapping[str, Rows], shape: Shape, unwanted: int
) -> None:
    database.fill(contents)
    joined, levels = (database.read(shape, plan, [unwanted]) for plan in PLANS)
    assert joined == levels


@settings(max_examples=30)
@given(contents, st.sampled_from(PLANS), st.integers(1, 2))
def test_page_by_page_is_the_whole_list(
    database: Database, contents: Mapping[str, Rows], plan: Plan, size: int
) -> None:
    agents = [row for row in contents["agents"] if row[0] is not None] or [("a", 1, "x", None)]
    database.fill({**contents, "agents": agents})
    paged: Records = []
    page = database.read(AGENTS, plan, [7, size], limit=True)
    while page:
        assert len(page) <= size
        paged += page
        cursor = AGENTS.cursor(page[-1])
        page = database.read(AGENTS, plan, [7, *cursor, size], after=True, limit=True)
    assert paged == database.read(AGENTS, plan, [7])


def test_psycopg_reads_names_with_percent_signs(postgres_uri: str) -> None:
    shape = Shape(
        "100%",
        key=("%s",),
        columns=("%s", "a.b"),
        children={"%(x)s": Child(key=("id",), columns=("id",), on={"%": "%s"})},
        where='"a.b" LIKE %(like)s',
    )
    params = {"like": "x%", "page_after_0": 1, "page_limit": 1}
    with psycopg.connect(postgres_uri, row_factory=dict_row) as connection:
        connection.execute("""
            CREATE TEMP TABLE "100%" ("%s" int, "a.b" text);
            CREATE TEMP TABLE "%(x)s" (id int, "%" int);
            INSERT INTO "100%" VALUES (1, 'x'), (2, 'x2'), (3, 'y'), (4, 'x');
            INSERT INTO "%(x)s" VALUES (1, 1), (2, 2), (3, 2);
        """)
        for plan in PLANS:
            grouper = RowGrouper(shape)
            for statement in shape.sql(plan, paramstyle="pyformat", after=True, limit=True):
                rows = connection.execute(statement.text.encode(), params).fetchall()
                grouper.feed(rows, statement.path)
            assert grouper.finish() == [
                {"%s": 2, "a.b": "x2", "%(x)s": [{"id": 2}, {"id": 3}]},
            ]
