"""How records are read: in how many statements and hops, in one snapshot, and what is refused."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import aiosqlite
import asyncpg
import psycopg
import pytest

from meshaccel.errors import InvalidJsonError
from meshaccel.grouping import Child, Plan, RowGrouper, Shape, Statement
from meshaccel.grouping.drivers.protocols import CHUNK_ROWS

from .backends import Asyncpg, Looping, postgres_backend

TOOLS = Child(key=("id",), columns=("id",), on={"agent": "id"})
AGENTS = Shape("agents", key=("id",), columns=("id",), children={"tools": TOOLS})
TABLES = """
    CREATE TABLE agents (id INTEGER PRIMARY KEY);
    CREATE TABLE tools (id INTEGER PRIMARY KEY, agent INTEGER);
"""


def filled(path: Path, agents: int) -> sqlite3.Connection:
    """Return a database of agents with two tools each."""
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.executescript(TABLES)
    conn.executemany("INSERT INTO agents VALUES (?)", [(n,) for n in range(agents)])
    conn.executemany("INSERT INTO tools VALUES (?, ?)", [(n, n // 2) for n in range(2 * agents)])
    conn.commit()
    return conn


def expected(agents: int) -> list[dict[str, object]]:
    return [{"id": n, "tools": [{"id": 2 * n}, {"id": 2 * n + 1}]} for n in range(agents)]


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Callable[[int], sqlite3.Connection]]:
    opened: list[sqlite3.Connection] = []

    def open_filled(agents: int) -> sqlite3.Connection:
        opened.append(filled(tmp_path / f"{len(opened)}.db", agents))
        return opened[-1]

    yield open_filled
    for conn in opened:
        conn.close()


@pytest.mark.parametrize(("plan", "selects"), [("joined", 1), ("levels", 2)])
@pytest.mark.parametrize("agents", [1, 300])
def test_the_number_of_statements_does_not_depend_on_that_of_records(
    open_file: Callable[[int], sqlite3.Connection], plan: Plan, selects: int, agents: int
) -> None:
    conn = open_file(agents)
    statements: list[str] = []
    conn.set_trace_callback(statements.append)
    assert RowGrouper(AGENTS).read(conn, plan=plan) == expected(agents)
    assert sum(statement.startswith("SELECT") for statement in statements) == selects
    assert len(statements) == (selects if selects == 1 else selects + 2)  # BEGIN and COMMIT


def test_aiosqlite_has_the_private_names_we_use() -> None:
    assert asyncio.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)


class Hops:
    """A connection that counts hops to its thread."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.count = 0

    async def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        self.count += 1
        return work(self.conn)


def test_a_reading_is_one_hop(open_file: Callable[[int], sqlite3.Connection]) -> None:
    hops = Hops(open_file(300))
    assert asyncio.run(RowGrouper(AGENTS).fetch(hops, plan="levels")) == expected(300)
    assert hops.count == 1
    body = asyncio.run(RowGrouper(AGENTS).fetch_json(hops))
    assert body.startswith(b'[{"id":0,')
    assert hops.count == 2


class Watched(str):
    """A key that tells which threads compare it."""

    __slots__ = ()
    threads: ClassVar[set[threading.Thread]] = set()

    def __hash__(self) -> int:
        self.threads.add(threading.current_thread())
        return super().__hash__()


@pytest.fixture
def grouping_threads() -> set[threading.Thread]:
    Watched.threads.clear()
    return Watched.threads


def test_rows_are_grouped_in_the_thread_of_the_database(
    tmp_path: Path, grouping_threads: set[threading.Thread]
) -> None:
    filled(tmp_path / "mesh.db", 3).close()

    async def read() -> None:
        async with aiosqlite.connect(tmp_path / "mesh.db") as conn:
            conn.text_factory = lambda text: Watched(text.decode())
            query = "SELECT CAST(id AS TEXT) AS id FROM agents"
            named = Shape("agents", key=("id",), columns=("id",), query=query)
            assert len(await RowGrouper(named).fetch(conn)) == 3

    asyncio.run(read())
    assert grouping_threads
    assert threading.main_thread() not in grouping_threads


def test_rows_of_a_server_are_grouped_in_a_thread(
    asyncpg_only: Asyncpg, grouping_threads: set[threading.Thread]
) -> None:
    decode = asyncpg_only.conn.set_type_codec(
        "text", schema="pg_catalog", encoder=str, decoder=Watched
    )
    asyncpg_only.run(decode)
    words = Shape("words", key=("id",), columns=("id",), query="SELECT 'a'::text AS id")
    assert asyncpg_only.read(words) == list(asyncpg_only.read_each(words)) == [{"id": "a"}]
    assert asyncpg_only.read_json(words) == b'[{"id":"a"}]'
    assert grouping_threads
    assert threading.main_thread() not in grouping_threads


def test_statements_of_a_reading_see_one_snapshot(tmp_path: Path) -> None:
    reader = filled(tmp_path / "mesh.db", 1)
    writer = sqlite3.connect(tmp_path / "mesh.db")

    def disturb(statement: str) -> None:
        if "tools" in statement:
            writer.execute("INSERT INTO tools VALUES (99, 0)")
            writer.commit()

    reader.set_trace_callback(disturb)
    assert RowGrouper(AGENTS).read(reader, plan="levels") == expected(1)
    reader.set_trace_callback(None)
    (agent,) = RowGrouper(AGENTS).read(reader)
    assert agent["tools"] == [{"id": 0}, {"id": 1}, {"id": 99}]
    for conn in (reader, writer):
        conn.close()


@pytest.fixture
def asyncpg_only(postgres_uri: str) -> Iterator[Asyncpg]:
    """Only asyncpg tells when a statement has run."""
    with postgres_backend("asyncpg", postgres_uri) as opened:
        assert isinstance(opened, Asyncpg)
        yield opened


def test_statements_of_a_reading_see_one_snapshot_of_postgres(asyncpg_only: Asyncpg) -> None:
    asyncpg_only.script(TABLES)
    asyncpg_only.script("INSERT INTO agents VALUES (0); INSERT INTO tools VALUES (0, 0), (1, 0)")
    schema = asyncpg_only.run(asyncpg_only.conn.fetchval("SELECT current_schema()"))
    disturbed = []

    def disturb(record: Any) -> None:
        if '"tools' not in record.query and '"agents' in record.query:
            with psycopg.connect(asyncpg_only.url, autocommit=True) as other:
                other.execute(f"INSERT INTO {schema}.tools VALUES (99, 0)")
            disturbed.append(record.query)

    with asyncpg_only.conn.query_logger(disturb):
        assert asyncpg_only.read(AGENTS, plan="levels") == expected(1)
    assert disturbed
    assert len(asyncpg_only.read(AGENTS)[0]["tools"]) == 3


def test_reading_one_by_one_holds_a_chunk_of_rows(
    open_file: Callable[[int], sqlite3.Connection],
) -> None:
    agents = CHUNK_ROWS  # of two rows each
    conn = open_file(agents)
    records = RowGrouper(AGENTS).read_each(conn)
    assert next(records) == expected(1)[0]
    conn.execute("CREATE TEMP TABLE seen (id)")  # the connection is free between chunks
    assert [*expected(1), *records] == expected(agents)
    assert not conn.in_transaction


@pytest.mark.parametrize("isolation_level", [None, "", "IMMEDIATE"])
def test_what_is_written_between_two_records_stays(tmp_path: Path, isolation_level: Any) -> None:
    filled(tmp_path / "mesh.db", CHUNK_ROWS).close()
    conn = sqlite3.connect(tmp_path / "mesh.db", isolation_level=isolation_level)
    for agent in RowGrouper(AGENTS).read_each(conn):
        conn.execute("DELETE FROM tools WHERE agent = ?", (agent["id"],))
    conn.commit()
    conn.close()
    conn = sqlite3.connect(tmp_path / "mesh.db")
    assert conn.execute("SELECT count(*) FROM tools").fetchall() == [(0,)]
    conn.close()


@pytest.mark.parametrize(("isolation_level", "left_open"), [(None, False), ("", True)])
def test_what_another_user_of_the_connection_writes_meanwhile_stays(
    tmp_path: Path, isolation_level: Any, left_open: object
) -> None:
    filled(tmp_path / "mesh.db", 1).close()
    conn = sqlite3.connect(tmp_path / "mesh.db", isolation_level=isolation_level)

    def written_meanwhile(text: bytes) -> str:
        conn.execute("INSERT INTO tools VALUES (99, 99) ON CONFLICT DO NOTHING")
        return text.decode()

    conn.text_factory = written_meanwhile
    query = "SELECT CAST(id AS TEXT) AS id FROM agents"
    assert RowGrouper(replace(AGENTS, query=query)).read(conn, plan="levels")
    assert conn.in_transaction == left_open
    conn.commit()
    conn.close()
    conn = sqlite3.connect(tmp_path / "mesh.db")
    assert conn.execute("SELECT agent FROM tools WHERE id = 99").fetchall() == [(99,)]
    conn.close()


def is_being_read(path: Path) -> bool:
    """Whether another connection keeps a writer out. For a file without write-ahead log."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as conn:
        try:
            conn.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
        return False


def test_a_reading_that_is_given_up_lets_go_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    with closing(filled(path, 2 * CHUNK_ROWS)) as conn:
        conn.execute("PRAGMA journal_mode = DELETE")
        records = RowGrouper(AGENTS).read_each(conn)
        next(records)
        assert is_being_read(path)
        records.close()
        assert not is_being_read(path)


def test_reading_one_by_one_can_be_cancelled_between_chunks(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    with closing(filled(path, 3 * CHUNK_ROWS)) as filling:
        filling.execute("PRAGMA journal_mode = DELETE")

    async def cancelled() -> None:
        async with aiosqlite.connect(path) as conn:
            started = asyncio.Event()

            async def read() -> None:
                async with aclosing(RowGrouper(AGENTS).fetch_each(conn)) as records:
                    async for _ in records:
                        started.set()
                        await asyncio.sleep(0)

            task = asyncio.create_task(read())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not is_being_read(path)
            assert len(await RowGrouper(AGENTS).fetch(conn)) == 3 * CHUNK_ROWS

    asyncio.run(cancelled())


@pytest.mark.parametrize("name", ["asyncpg", "psycopg-async"])
def test_a_reading_that_is_cancelled_leaves_the_connection_as_it_was(
    postgres_uri: str, name: str
) -> None:
    async def cancelled(conn: Any, turns: int) -> None:
        reading = asyncio.create_task(RowGrouper(AGENTS).fetch(conn, plan="levels"))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        async with conn.transaction():
            await conn.execute("INSERT INTO agents VALUES (DEFAULT)")

    with postgres_backend(name, postgres_uri) as opened:
        assert isinstance(opened, Looping)
        opened.script("CREATE TABLE agents (id serial); CREATE TABLE tools (id int, agent int)")
        for turns in range(1, 40):  # through every await, BEGIN first
            opened.run(cancelled(opened.conn, turns))
            assert not opened.in_transaction()
        assert len(opened.read(AGENTS)) == 39


def test_an_error_of_grouping_ends_the_transaction(
    open_file: Callable[[int], sqlite3.Connection],
) -> None:
    conn = open_file(1)
    query = "SELECT id, '{' AS document FROM agents"
    shape = Shape(
        "agents", key=("id",), columns=("id", "document"), json={"document": "eager"}, query=query
    )
    with pytest.raises(InvalidJsonError):
        RowGrouper(shape).read(conn)
    assert not conn.in_transaction


def test_errors_of_the_driver_come_through(open_file: Callable[[int], sqlite3.Connection]) -> None:
    conn = open_file(1)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        RowGrouper(Shape("nothing", key=("id",), columns=("id",))).read(conn)
    assert not conn.in_transaction


def test_any_row_factory_will_do(open_file: Callable[[int], sqlite3.Connection]) -> None:
    conn = open_file(2)
    conn.row_factory = lambda _, row: dict(enumerate(row))
    assert RowGrouper(AGENTS).read(conn) == expected(2)


def test_sql_of_ones_own(open_file: Callable[[int], sqlite3.Connection]) -> None:
    conn = open_file(2)
    joined = "SELECT a.id, t.id FROM agents a JOIN tools t ON t.agent = a.id WHERE a.id = :id"
    grouper = RowGrouper(AGENTS)
    assert grouper.read(conn, sql=joined, params={"id": 1}) == expected(2)[1:]
    levels = (
        Statement("", "SELECT id FROM agents"),
        Statement("tools", "SELECT agent, id FROM tools"),
    )
    assert grouper.read(conn, sql=levels) == expected(2)
    for contradiction in ({"plan": "joined"}, {"limit": 1}, {"after": (1,)}):
        with pytest.raises(ValueError, match="sql"):
            grouper.read(conn, sql=joined, **contradiction)


def test_parameters_must_fit_the_driver(open_file: Callable[[int], sqlite3.Connection]) -> None:
    conn = open_file(1)
    grouper = RowGrouper(replace(AGENTS, where="id = :id"))
    with pytest.raises(ValueError, match="by name"):
        grouper.read(conn, params=(1,))
    with pytest.raises(ValueError, match="'page_limit' is reserved"):
        grouper.read(conn, params={"id": 0, "page_limit": 1}, limit=1)
    with pytest.raises(ValueError, match="1 value"):
        grouper.read(conn, params={"id": 0}, after=(1, 2))
    with pytest.raises(ValueError, match="NULL"):
        grouper.read(conn, params={"id": 0}, after=(None,))
    with pytest.raises(ValueError, match="cursor"):
        grouper.read(conn, params={"id": 0}, after="x")
    with pytest.raises(ValueError, match="number of records"):
        grouper.read(conn, params={"id": 0}, limit=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sql must be"):
        grouper.read(conn, params={"id": 0}, sql="")
    with pytest.raises(ValueError, match="joined"):
        next(grouper.read_each(conn, params={"id": 0}, plan="levels"))
    with pytest.raises(ValueError, match="joined"):
        next(grouper.read_each(conn, sql=AGENTS.sql("levels")))
    assert list(RowGrouper(AGENTS).read_each(conn, sql=AGENTS.sql("joined"))) == expected(1)


def test_what_is_no_connection_is_named() -> None:
    grouper = RowGrouper(AGENTS)
    with pytest.raises(TypeError, match="got str"):
        grouper.read("mesh.db")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got str"):
        asyncio.run(grouper.fetch("mesh.db"))
    conn = sqlite3.connect(":memory:")
    with pytest.raises(TypeError, match="for read"):
        asyncio.run(grouper.fetch(conn))
    conn.close()


def test_only_connections_of_a_driver_are_connections(postgres_uri: str) -> None:
    grouper = RowGrouper(AGENTS)
    with psycopg.connect(postgres_uri) as conn, pytest.raises(TypeError, match="got Cursor"):
        grouper.read(conn.cursor())  # type: ignore[arg-type]

    async def read() -> None:
        pool = asyncpg.create_pool(postgres_uri)
        with pytest.raises(TypeError, match="got Pool"):
            await grouper.fetch(pool)
        async with await psycopg.AsyncConnection.connect(postgres_uri) as awaited:
            with pytest.raises(TypeError, match="got AsyncConnection"):
                grouper.read(awaited)  # type: ignore[arg-type]

    asyncio.run(read())


def test_a_connection_out_of_a_pool_of_asyncpg(postgres_uri: str) -> None:
    async def read() -> list[dict[str, object]]:
        async with (
            asyncpg.create_pool(postgres_uri, min_size=1, max_size=1) as pool,
            pool.acquire() as conn,
        ):
            query = "SELECT n AS id FROM generate_series(1, 3) n"
            return await RowGrouper(Shape("n", key=("id",), columns=("id",), query=query)).fetch(
                conn
            )

    assert asyncio.run(read()) == [{"id": 1}, {"id": 2}, {"id": 3}]
