"""Writes that share a transaction do not share its fate."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.pool.support import Endless, pool_over

from meshaccel.errors import InvalidRequestError
from meshaccel.pool import ConnectionPool


async def together(pool: ConnectionPool, *statements: str) -> list[object]:
    """Queue writes while the writer is busy, so that they form a group."""
    async with pool.write() as conn:
        await conn.execute("DELETE FROM t")
        tasks = [asyncio.create_task(pool.execute(sql)) for sql in statements]
        await asyncio.sleep(0)
    results: list[object] = list(await asyncio.gather(*tasks, return_exceptions=True))
    return results


def failed(results: list[object]) -> list[int]:
    """Return the numbers of those that raised a driver's error."""
    return [n for n, result in enumerate(results) if isinstance(result, sqlite3.Error)]


async def stored(pool: ConnectionPool) -> list[object]:
    """Return the ids in the table."""
    return [row[0] for row in await pool.fetch_all("SELECT id FROM t ORDER BY id")]


def test_queued_writes_share_a_transaction(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            before = pool.stats().groups
            results = await together(pool, *["INSERT INTO t (x) VALUES (0)"] * 20)
            assert failed(results) == []
            assert await stored(pool) == list(range(1, 21))
            assert pool.stats().groups - before == 1
            assert pool.stats().grouped_writes == 20

    asyncio.run(run())


def test_one_that_fails_fails_alone(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            results = await together(
                pool,
                "INSERT INTO t VALUES (1, 0)",
                "INSERT INTO t VALUES (1, 0)",
                "INSERT INTO nowhere VALUES (1)",
                "INSERT INTO t SELECT value, 0 FROM json_each('[2, 3, 1]')",
                "INSERT INTO t VALUES (4, 0)",
            )
            assert failed(results) == [1, 2, 3]
            assert await stored(pool) == [1, 4]

    asyncio.run(run())


def test_one_that_ends_the_transaction_takes_nobody_along(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            results = await together(
                pool,
                "INSERT INTO t VALUES (1, 0)",
                "INSERT OR ROLLBACK INTO t VALUES (1, 0)",
                "INSERT INTO t VALUES (2, 0)",
            )
            assert failed(results) == [1]
            assert await stored(pool) == [1, 2]

    asyncio.run(run())


def test_commit_that_fails_is_the_fault_of_one(tmp_path: Path) -> None:
    """A deferred constraint is checked by COMMIT."""

    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            await pool.execute(
                "CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            results = await together(
                pool,
                "INSERT INTO t VALUES (1, 0)",
                "INSERT INTO child VALUES (99)",
                "INSERT INTO t VALUES (2, 0)",
            )
            assert failed(results) == [1]
            assert await stored(pool) == [1, 2]

    asyncio.run(run())


def test_one_that_is_interrupted_is_the_only_one(tmp_path: Path) -> None:
    async def run() -> None:
        endless = Endless()
        async with pool_over(tmp_path, on_connect=endless.on_connect) as pool:
            async with pool.write():
                first = asyncio.create_task(pool.execute("INSERT INTO t VALUES (1, 0)"))
                slow = asyncio.create_task(pool.execute(f"INSERT INTO t (x) {endless.sql}"))
                last = asyncio.create_task(pool.execute("INSERT INTO t VALUES (2, 0)"))
                await asyncio.sleep(0)
            await endless.begun()
            slow.cancel()
            await first
            await last
            assert await stored(pool) == [1, 2]
            assert pool.stats().grouped_writes == 3

    asyncio.run(run())


def test_batches_in_a_group_are_all_or_none(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.write():
                good = asyncio.create_task(pool.batch(["INSERT INTO t VALUES (1, 0)"] * 1))
                bad = asyncio.create_task(
                    pool.batch(["INSERT INTO t VALUES (2, 0)", "INSERT INTO t VALUES (1, 0)"])
                )
                many = asyncio.create_task(
                    pool.execute_many("INSERT INTO t VALUES (?, 0)", [(3,), (4,)])
                )
                await asyncio.sleep(0)
            await good
            with pytest.raises(sqlite3.IntegrityError):
                await bad
            assert await many == 2
            assert await stored(pool) == [1, 3, 4]

    asyncio.run(run())


def test_an_error_owed_to_what_was_lost_is_not_told(tmp_path: Path) -> None:
    """The first fails at COMMIT, so its row was never there for the second to collide with."""

    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            await pool.execute(
                "CREATE TABLE child (id INTEGER PRIMARY KEY,"
                " t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            results = await together(
                pool, "INSERT INTO child VALUES (1, 99)", "INSERT INTO child VALUES (1, NULL)"
            )
            assert failed(results) == [0]
            assert await pool.fetch_all("SELECT * FROM child") == [(1, None)]

    asyncio.run(run())


def test_one_that_closes_the_connection_takes_nobody_along(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.write():
                writes = [
                    asyncio.create_task(pool.execute("INSERT INTO t VALUES (1, 0)")),
                    asyncio.create_task(pool.run_write(sqlite3.Connection.close, repeatable=True)),
                    asyncio.create_task(pool.execute("INSERT INTO t VALUES (2, 0)")),
                ]
                await asyncio.sleep(0)
            async with asyncio.timeout(60):
                results = await asyncio.gather(*writes, return_exceptions=True)
            assert failed(list(results)) == [1]
            assert await stored(pool) == [1, 2]

    asyncio.run(run())


@pytest.mark.parametrize("before", ["", " ;", "-- x\n", "/* x */", "\ufeff"])
def test_statement_that_would_end_the_transaction_is_refused(tmp_path: Path, before: str) -> None:
    """It would commit the others, which would then be run again."""

    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            with pytest.raises(InvalidRequestError):
                await pool.execute(before + "COMMIT")

    asyncio.run(run())
