"""Errors of a real Postgres, through asyncpg and psycopg."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import pytest
from tests.resilience.classification_support import (
    CONNECTION,
    TRANSACTION,
    A,
    Expected,
    P,
    T,
    check,
    raised_by,
    raised_by_awaiting,
)

from meshaccel.resilience.classification import DEFAULT_CLASSIFIER


class Session(Protocol):
    """A connection of either driver, in autocommit mode."""

    async def execute(self, sql: str) -> Any:
        """Execute SQL."""

    async def close(self) -> Any:
        """Close it."""


Connect = Callable[[str], Awaitable[Session]]


async def connect_psycopg(url: str) -> Session:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


DRIVERS: dict[str, Connect] = {"asyncpg": asyncpg.connect, "psycopg": connect_psycopg}


@pytest.fixture(params=DRIVERS)
def connect(request: pytest.FixtureRequest) -> Connect:
    """How one of the drivers connects."""
    return DRIVERS[request.param]


@pytest.fixture(scope="module")
def url(postgres_uri: str) -> str:
    """A database of its own, with a table of two rows."""
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute("CREATE DATABASE classification")
        admin.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    url = with_parts(postgres_uri, path="/classification")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, x int NOT NULL CHECK (x > 0))")
        conn.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
        conn.execute("CREATE TABLE child (t int REFERENCES t (id))")
    return url


def with_parts(url: str, **parts: str) -> str:
    """Change parts of a URL."""
    return urlunsplit(urlsplit(url)._replace(**parts))


@asynccontextmanager
async def session(connect: Connect, url: str) -> AsyncIterator[Session]:
    """Connect, and close whatever became of it."""
    conn = await connect(url)
    try:
        yield conn
    finally:
        with suppress(Exception):
            await conn.close()


def raise_with(sqlstate: str) -> str:
    """Let the server raise an error that is hard to come by."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{sqlstate}'; END $$"


STATEMENTS: dict[str, tuple[str, str, Expected]] = {
    "unique": ("INSERT INTO t VALUES (1, 1)", "23505", P),
    "not null": ("INSERT INTO t VALUES (3, NULL)", "23502", P),
    "check": ("INSERT INTO t VALUES (3, -1)", "23514", P),
    "foreign key": ("INSERT INTO child VALUES (9)", "23503", P),
    "syntax": ("SELEKT", "42601", P),
    "no such table": ("SELECT * FROM nothing", "42P01", P),
    "division by zero": ("SELECT 1 / 0", "22012", P),
    "no number": ("SELECT 'x'::int", "22P02", P),
    "no such database": ("DROP DATABASE nothing", "3D000", P),
    "in use": ("DROP DATABASE classification", "55006", P),
    "statement timeout": (
        "SET statement_timeout = 1; SELECT pg_sleep(9)",
        "57014",
        (T, TRANSACTION, None),
    ),
    "cancelled by another": (
        "SELECT pg_cancel_backend(pg_backend_pid())",
        "57014",
        (T, TRANSACTION, None),
    ),
    "killed": (
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "57P01",
        (A, CONNECTION, "breaker"),
    ),
    "disk full": (raise_with("53100"), "53100", P),
    "out of memory": (raise_with("53200"), "53200", (T, TRANSACTION, "breaker")),
    "limit": (raise_with("53400"), "53400", (T, TRANSACTION)),
    "starting up": (raise_with("57P03"), "57P03", (T, CONNECTION, "breaker")),
    "crash": (raise_with("57P02"), "57P02", (A, CONNECTION, "breaker")),
    "rejected": (raise_with("08004"), "08004", (T, CONNECTION, "breaker")),
    "connection failure": (raise_with("08006"), "08006", (A, CONNECTION, "breaker")),
    "resolution unknown": (raise_with("08007"), "08007", (A, CONNECTION)),
    "protocol": (raise_with("08P01"), "08P01", P),
    "completion unknown": (raise_with("40003"), "40003", (A, CONNECTION)),
    "rollback": (raise_with("40000"), "40000", (T, TRANSACTION, None)),
    "rollback for a constraint": (raise_with("40002"), "40002", P),
    "io error": (raise_with("58030"), "58030", (T, CONNECTION, "breaker")),
    "corrupted": (raise_with("XX001"), "XX001", P),
    "password": (raise_with("28P01"), "28P01", P),
    "a new kind of conflict": (raise_with("40ZZZ"), "40ZZZ", (T, TRANSACTION)),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements(connect: Connect, url: str, name: str) -> None:
    sql, sqlstate, expected = STATEMENTS[name]

    async def run() -> None:
        async with session(connect, url) as conn:
            # psycopg sees SET and SELECT as one prepared statement unless they come apart.
            *before, last = sql.split("; ") if sql.startswith("SET") else [sql]
            for each in before:
                await conn.execute(each)
            error = await raised_by_awaiting(conn.execute(last))
            # Of a killed connection asyncpg says that it does not exist.
            assert getattr(error, "sqlstate", None) in {sqlstate, "08003" * (name == "killed")}
            check(error, expected)

    asyncio.run(run())


def test_deadlock(connect: Connect, url: str) -> None:
    async def run() -> None:
        async with session(connect, url) as one, session(connect, url) as other:
            for conn, row in ((one, 1), (other, 2)):
                await conn.execute("SET deadlock_timeout = '10ms'")
                await conn.execute("BEGIN")
                await conn.execute(f"UPDATE t SET x = x WHERE id = {row}")
            errors = await asyncio.gather(
                one.execute("UPDATE t SET x = x WHERE id = 2"),
                other.execute("UPDATE t SET x = x WHERE id = 1"),
                return_exceptions=True,
            )
            (error,) = [error for error in errors if isinstance(error, Exception)]
            assert getattr(error, "sqlstate", None) == "40P01"
            check(error, (T, TRANSACTION, None))
            loser = one if errors[0] is error else other
            spoilt = await raised_by_awaiting(loser.execute("SELECT 1"))
            assert getattr(spoilt, "sqlstate", None) == "25P02"
            check(spoilt, P)

    asyncio.run(run())


def test_serialisation_failure(connect: Connect, url: str) -> None:
    async def run() -> None:
        async with session(connect, url) as one, session(connect, url) as other:
            await one.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await one.execute("SELECT * FROM t")
            await other.execute("UPDATE t SET x = x + 1")
            error = await raised_by_awaiting(one.execute("UPDATE t SET x = x + 1"))
            assert getattr(error, "sqlstate", None) == "40001"
            check(error, (T, TRANSACTION, None))

    asyncio.run(run())


@pytest.mark.parametrize("sql", ["LOCK TABLE t NOWAIT", "SELECT * FROM t"])
def test_lock_not_available(connect: Connect, url: str, sql: str) -> None:
    async def run() -> None:
        async with session(connect, url) as one, session(connect, url) as other:
            await one.execute("BEGIN")
            await one.execute("LOCK TABLE t")
            await other.execute("SET lock_timeout = 1")
            await other.execute("BEGIN")
            error = await raised_by_awaiting(other.execute(sql))
            assert getattr(error, "sqlstate", None) == "55P03"
            check(error, (T, TRANSACTION, None))
            assert DEFAULT_CLASSIFIER.classify(error).base_delay_s == 1.0

    asyncio.run(run())


def test_read_only_transaction(connect: Connect, url: str) -> None:
    async def run() -> None:
        async with session(connect, url) as conn:
            await conn.execute("BEGIN READ ONLY")
            check(await raised_by_awaiting(conn.execute("DELETE FROM child")), P)

    asyncio.run(run())


def test_killed_while_idle_and_used_again(connect: Connect, url: str) -> None:
    """First it is lost, which is ambiguous; later it is known to be closed, which is not."""

    async def run() -> None:
        async with session(connect, url) as conn, session(connect, url) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'classification' AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
            lost = await raised_by_awaiting(conn.execute("SELECT 1"))
            # asyncpg, which reads all the time, may have noticed before anything was sent.
            noticed = isinstance(lost, asyncpg.InterfaceError)
            check(lost, (T if noticed else A, CONNECTION, "breaker"))
            again = await raised_by_awaiting(conn.execute("SELECT 1"))
            check(again, (T, CONNECTION, "breaker"))

    asyncio.run(run())


IDLERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idler'"


def test_idle_in_transaction_for_too_long(connect: Connect, url: str) -> None:
    async def run() -> None:
        async with session(connect, url) as conn, session(asyncpg.connect, url) as admin:
            await conn.execute("SET application_name = 'idler'")
            await conn.execute("SET idle_in_transaction_session_timeout = 1")
            await conn.execute("BEGIN")
            assert isinstance(admin, asyncpg.Connection)
            while await admin.fetchval(IDLERS):  # noqa: ASYNC110 - the server's time-out
                await asyncio.sleep(0.01)
            # asyncpg, which reads all the time, knows of it before anything is sent.
            known = A
            if isinstance(conn, asyncpg.Connection):
                known = T
                while not conn.is_closed():  # noqa: ASYNC110 - it has no event for it
                    await asyncio.sleep(0.001)
            check(await raised_by_awaiting(conn.execute("SELECT 1")), (known, CONNECTION))

    asyncio.run(run())


def test_wrong_use(url: str) -> None:
    async def run() -> None:
        async with session(asyncpg.connect, url) as conn:
            check(await raised_by_awaiting(conn.execute("SELECT $1::int")), P)
            both = await asyncio.gather(
                conn.execute("SELECT 1"), conn.execute("SELECT 2"), return_exceptions=True
            )
            (error,) = [each for each in both if isinstance(each, Exception)]
            assert isinstance(error, asyncpg.InterfaceError)
            check(error, P)

    asyncio.run(run())


def test_too_many_connections(connect: Connect, url: str) -> None:
    async def run() -> None:
        user = with_parts(url, netloc="crowd@")
        error = await raised_by_awaiting(connect(user))
        check(error, (T, CONNECTION, "breaker"))

    asyncio.run(run())


@pytest.mark.parametrize(
    "parts",
    [{"path": "/nothing"}, {"netloc": "nobody@"}],
    ids=["no such database", "no such role"],
)
def test_not_let_in(connect: Connect, url: str, parts: dict[str, str]) -> None:
    check(asyncio.run(raised_by_awaiting(connect(with_parts(url, **parts)))), P)


@pytest.fixture
def guarded(url: str) -> Iterator[str]:
    """The database, for a role whose password is wrong."""
    guarded = with_parts(url, netloc="warden:wrong@")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE warden LOGIN PASSWORD 'right'")
        (file,) = admin.execute("SHOW hba_file").fetchone() or ("",)
        rules = Path(file)
        before = rules.read_text()
        try:
            rules.write_text(f"local all warden scram-sha-256\n{before}")
            admin.execute("SELECT pg_reload_conf()")
            with suppress(psycopg.OperationalError):
                while True:  # the server reads its rules when it comes to it
                    psycopg.connect(guarded).close()
            yield guarded
        finally:
            rules.write_text(before)
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("DROP ROLE warden")


def test_wrong_password(connect: Connect, guarded: str) -> None:
    check(asyncio.run(raised_by_awaiting(connect(guarded))), P)


def test_nobody_listens(connect: Connect) -> None:
    error = asyncio.run(raised_by_awaiting(connect("postgres://nobody@127.0.0.1:1/nothing")))
    check(error, (T, CONNECTION, "breaker"))


def test_asyncpg_statements_of_an_older_schema(url: str) -> None:
    async def run() -> None:
        async with session(asyncpg.connect, url) as conn, session(asyncpg.connect, url) as other:
            await conn.execute("CREATE TABLE changing (x int)")
            assert isinstance(conn, asyncpg.Connection)
            transaction = conn.transaction()
            await conn.fetch("SELECT * FROM changing")
            await transaction.start()
            await other.execute("ALTER TABLE changing ADD y int")
            error = await raised_by_awaiting(conn.fetch("SELECT * FROM changing"))
            assert isinstance(error, asyncpg.InvalidCachedStatementError)
            check(error, (T, TRANSACTION, None))

    asyncio.run(run())


def test_psycopg_cannot_connect_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        uri = f"postgres://nobody@127.0.0.1:{port}/nothing?connect_timeout=2"
        error = raised_by(lambda: psycopg.connect(uri))
    check(error, (T, CONNECTION, "breaker"))
