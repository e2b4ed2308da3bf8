"""The same pool over a real Postgres."""

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import pytest

from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    PoolClosedError,
    PoolMisuseError,
)
from meshaccel.pool import ConnectionPool


@pytest.fixture(scope="module")
def url(postgres_uri: str) -> str:
    """A database of its own."""
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute("CREATE DATABASE pool")
    parts = urlsplit(postgres_uri)
    return urlunsplit(parts._replace(path="/pool"))


async def empty_table(pool: ConnectionPool) -> None:
    """Make an empty table ``t``."""
    await pool.execute("DROP TABLE IF EXISTS t")
    await pool.execute("CREATE TABLE t (id serial PRIMARY KEY, x int UNIQUE)")


def test_each_way_in(url: str) -> None:
    async def run() -> None:
        async with ConnectionPool(url, 3) as pool:
            await empty_table(pool)
            done = await pool.execute("INSERT INTO t (x) VALUES ($1) RETURNING x", (1,))
            assert (done.rowcount, done.rows[0]["x"]) == (1, 1)
            assert (await pool.execute("UPDATE t SET x = 5")).rowcount == 1
            assert await pool.execute_many("INSERT INTO t (x) VALUES ($1)", [(2,), (3,)]) == 2
            assert len(await pool.fetch_all("SELECT * FROM t")) == 3
            async with pool.write() as conn:
                await conn.execute("DELETE FROM t WHERE x = 5")
                assert conn.in_transaction
            async with pool.read() as conn:
                assert (await conn.fetch_one("SELECT count(*) FROM t"))["count"] == 2  # type: ignore[index]
                with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                    await conn.execute("DELETE FROM t")
            with pytest.raises(asyncpg.UniqueViolationError):
                await pool.batch(["INSERT INTO t (x) VALUES (9)", "INSERT INTO t (x) VALUES (9)"])

            async def count(raw: Any) -> int:
                found: int = await raw.fetchval("SELECT count(*) FROM t")
                return found

            assert await pool.run_read(count) == 2  # type: ignore[comparison-overlap]
            stats = pool.stats()
            assert stats.in_use == 0
            assert stats.acquires > 8

    asyncio.run(run())


def test_open_transaction_is_rolled_back(url: str) -> None:
    async def run() -> None:
        async with ConnectionPool(url, 1) as pool:
            await empty_table(pool)
            async with pool.acquire() as conn:
                await conn.execute("BEGIN")
                await conn.execute("INSERT INTO t (x) VALUES (1)")
            assert await pool.fetch_all("SELECT * FROM t") == []

    asyncio.run(run())


def test_timeouts_and_bounds(url: str) -> None:
    async def run() -> None:
        async with ConnectionPool(url, 1, max_waiting=1, leak_after=60) as pool:
            async with pool.acquire():
                with pytest.raises(ConnectionPoolExhausted, match="1 of 1 are in use") as caught:
                    await pool.acquire(timeout=0.05)
                assert "test_timeouts_and_bounds" in caught.value.holders[0]
                waiting = asyncio.create_task(pool.fetch_one("SELECT 1"))
                await asyncio.sleep(0)
                with pytest.raises(ConnectionPoolExhausted, match="waiting already"):
                    await pool.fetch_one("SELECT 1")
            assert tuple(await waiting or ()) == (1,)
            stats = pool.stats()
            assert (stats.timeouts, stats.rejected) == (1, 1)

    asyncio.run(run())


def test_cancelled_query_ends_on_the_server(url: str) -> None:
    async def run() -> None:
        async with ConnectionPool(url, 1) as pool:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await pool.fetch_one("SELECT pg_sleep(60)")
            async with asyncio.timeout(60):
                assert tuple(await pool.fetch_one("SELECT 1") or ()) == (1,)

    asyncio.run(run())


def test_closing_and_misuse(url: str) -> None:
    async def run() -> None:
        pool = ConnectionPool(url, 1)
        await pool.open()
        conn = await pool.acquire()
        with pytest.raises(PoolMisuseError):
            await asyncio.to_thread(asyncio.run, pool.fetch_one("SELECT 1"))
        await pool.close(timeout=0.05)
        conn.release()
        with pytest.raises(PoolClosedError):
            await pool.fetch_one("SELECT 1")

    asyncio.run(run())


def test_server_that_is_not_there() -> None:
    async def run() -> None:
        with pytest.raises(DatabaseError, match="cannot open"):
            await ConnectionPool("postgresql://u:secret@127.0.0.1:1/x").open()

    asyncio.run(run())
    assert "secret" not in repr(ConnectionPool("postgresql://u:secret@127.0.0.1:1/x"))
