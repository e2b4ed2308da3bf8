"""Reading, writing and transactions through the pool."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from tests.pool.support import pool_over

from meshaccel.errors import DatabaseError, InvalidRequestError, PoolClosedError, PoolMisuseError
from meshaccel.pool import ConnectionPool, Executed


@pytest.mark.parametrize("memory", [False, True])
def test_each_way_in(tmp_path: Path, *, memory: bool) -> None:
    """A database in memory has one connection for all; a file behaves the same."""

    async def run() -> None:
        path = ":memory:" if memory else tmp_path / "t.db"
        async with ConnectionPool(path, 4) as pool:
            await pool.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
            done = await pool.execute("INSERT INTO t (x) VALUES (?) RETURNING x", ("a",))
            assert done == Executed(1, 1, [("a",)])
            assert await pool.execute_many("INSERT INTO t (x) VALUES (:x)", [{"x": "b"}] * 2) == 2
            assert await pool.fetch_all("SELECT id FROM t") == [(1,), (2,), (3,)]
            assert await pool.fetch_one("SELECT x FROM t WHERE id = ?", (9,)) is None
            async with pool.write() as conn:
                await conn.execute("DELETE FROM t WHERE id = 1")
            async with pool.read() as conn:
                assert await conn.fetch_one("SELECT count(*) FROM t") == (2,)
            async with pool.acquire() as conn:
                assert await conn.execute_many("INSERT INTO t (x) VALUES (?)", [(1,), (2,)]) == 2
                both = await conn.batch(["SELECT count(*) FROM t", ("SELECT ?", (7,))])
                assert [each.rows for each in both] == [[(4,)], [(7,)]]
            assert await pool.run_read(lambda raw: raw.execute("SELECT 1").fetchone()) == (1,)
            await pool.run_write(lambda raw: raw.execute("DELETE FROM t"))
            batch = await pool.batch([("INSERT INTO t (x) VALUES (?)", (1,)), "SELECT x FROM t"])
            assert batch[1].rows == [(1,)]
            assert pool.stats().size == 1 if memory else pool.stats().size <= 4

    asyncio.run(run())


def test_write_commits_or_rolls_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            with suppress(LookupError):
                async with pool.write() as conn:
                    await conn.execute("INSERT INTO t (x) VALUES (1)")
                    raise LookupError
            with pytest.raises(sqlite3.IntegrityError):
                await pool.batch(["INSERT INTO t VALUES (1, 1)", "INSERT INTO t VALUES (1, 1)"])

            def fail(raw: sqlite3.Connection) -> None:
                raw.execute("INSERT INTO t (x) VALUES (1)")
                raise LookupError

            with pytest.raises(LookupError):
                await pool.run_write(fail)
            assert await pool.fetch_all("SELECT * FROM t") == []
            assert pool.stats().rollbacks == 0, "that is nobody's neglect"

    asyncio.run(run())


def test_read_is_one_snapshot_and_cannot_write(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.read() as conn:
                assert await conn.fetch_one("SELECT count(*) FROM t") == (0,)
                await pool.execute("INSERT INTO t (x) VALUES (1)")
                assert await conn.fetch_one("SELECT count(*) FROM t") == (0,)
                with pytest.raises(sqlite3.OperationalError, match="readonly"):
                    await conn.execute("DELETE FROM t")
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await pool.fetch_all("DELETE FROM t RETURNING id")
            async with pool.acquire() as conn:  # the same connection may write again
                await conn.execute("DELETE FROM t")

    asyncio.run(run())


def test_one_hop_for_each_unit_of_work(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            before = pool.stats().hops
            await pool.fetch_all("SELECT * FROM t")
            await pool.execute("INSERT INTO t (x) VALUES (1)")
            await pool.batch(["SELECT 1"] * 8)
            async with pool.acquire() as conn:
                thread = await conn.run(lambda _: threading.get_ident())
            assert pool.stats().hops - before == 4
            assert thread != threading.get_ident()

    asyncio.run(run())


def test_errors_of_the_work_come_through(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                await pool.fetch_all("SELECT * FROM nowhere")

            def stop(_: sqlite3.Connection) -> None:
                raise StopIteration

            with pytest.raises(RuntimeError, match="StopIteration"):
                await pool.run_read(stop)

            def leave(_: sqlite3.Connection) -> None:
                raise asyncio.CancelledError

            with pytest.raises(asyncio.CancelledError):
                await pool.run_read(leave)
            assert await pool.fetch_one("SELECT 1") == (1,)

    asyncio.run(run())


@pytest.mark.parametrize("sql", ["COMMIT", " -- why\nrollback", "/* a */ BEGIN", "; RELEASE x"])
def test_shared_transactions_are_not_ended_by_one(tmp_path: Path, sql: str) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            with pytest.raises(InvalidRequestError, match=r"pool\.write"):
                await pool.execute(sql)
            with pytest.raises(InvalidRequestError):
                await pool.batch(["SELECT 1", sql])

    asyncio.run(run())


def test_after_it_was_given_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            conn = await pool.acquire()
            conn.release()
            conn.release()
            with pytest.raises(PoolClosedError, match="given back"):
                await conn.fetch_one("SELECT 1")
            assert pool.stats().idle == pool.stats().size

    asyncio.run(run())


def test_before_and_after_it_is_open(tmp_path: Path) -> None:
    async def run() -> None:
        pool = ConnectionPool(tmp_path / "t.db")
        with pytest.raises(PoolClosedError, match="not open"):
            await pool.fetch_one("SELECT 1")
        await pool.close()
        await pool.open()
        await pool.close()
        await pool.close()
        with pytest.raises(PoolClosedError):
            await pool.fetch_one("SELECT 1")
        with pytest.raises(PoolClosedError):
            await pool.open()

    asyncio.run(run())


def test_another_event_loop_is_refused(tmp_path: Path) -> None:
    pool = ConnectionPool(tmp_path / "t.db")

    async def use() -> None:
        with pytest.raises(PoolMisuseError, match="another event loop"):
            await pool.fetch_one("SELECT 1")
        with pytest.raises(PoolMisuseError, match="another event loop"):
            async with pool.acquire():
                pass

    async def run() -> None:
        async with pool:
            await asyncio.to_thread(asyncio.run, use())

    asyncio.run(run())


def test_close_serves_who_waits_and_then_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 2) as pool:
            writes = [
                asyncio.create_task(pool.execute("INSERT INTO t (x) VALUES (1)"))
                for _ in range(100)
            ]
            await asyncio.sleep(0)
            closing = asyncio.create_task(pool.close())
            await asyncio.sleep(0)
            with pytest.raises(PoolClosedError):
                await pool.execute("INSERT INTO t (x) VALUES (1)")
            await asyncio.gather(*writes)
            await closing
        async with pool_over(tmp_path) as pool:
            assert await pool.fetch_one("SELECT count(*) FROM t") == (100,)

    asyncio.run(run())


def test_close_serves_the_very_first_write(tmp_path: Path) -> None:
    """The writer has no connection yet when the pool closes."""

    async def run() -> None:
        async with pool_over(tmp_path):
            pass
        pool = ConnectionPool(tmp_path / "t.db", 2)
        await pool.open()
        write = asyncio.create_task(pool.execute("INSERT INTO t (x) VALUES (1)"))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await pool.close()
            assert (await write).rowcount == 1

    asyncio.run(run())


def test_memory_that_is_gone_is_not_replaced_by_an_empty_one() -> None:
    async def run() -> None:
        async with ConnectionPool(":memory:") as pool:
            await pool.execute("CREATE TABLE t (x)")
            async with pool.acquire() as conn:
                await conn.run(lambda raw: raw.close())
            for _ in range(2):
                with pytest.raises(DatabaseError, match="gone"):
                    await pool.fetch_all("SELECT * FROM t")

    asyncio.run(run())


def test_options_that_make_no_sense() -> None:
    for options in ({"max_connections": 0}, {"min_connections": 30}, {"idle_timeout": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ConnectionPool("t.db", **options)  # type: ignore[arg-type]


def test_on_connect_and_pragmas(tmp_path: Path) -> None:
    async def run() -> None:
        def set_up(raw: sqlite3.Connection) -> None:
            raw.create_function("twice", 1, lambda x: 2 * x)

        async with pool_over(tmp_path, on_connect=set_up, pragmas={"cache_size": -777}) as pool:
            assert await pool.fetch_one("SELECT twice(4)") == (8,)
            assert await pool.fetch_one("PRAGMA cache_size") == (-777,)
            assert await pool.fetch_one("PRAGMA journal_mode") == ("wal",)

    asyncio.run(run())


def test_the_pool_loads_alone() -> None:
    program = (
        "import sys; from meshaccel import ConnectionPool;"
        "heavy = {'aiosqlite', 'asyncpg', 'msgspec', 'prometheus_client'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_connection_in_hand_is_refused_in_another_event_loop(tmp_path: Path) -> None:
    """Its caller could not be told whether the row was written."""

    async def main() -> None:
        async with ConnectionPool(tmp_path / "p.db") as pool:
            await pool.execute("CREATE TABLE t (x)")
            async with pool.acquire() as conn:

                async def insert() -> None:
                    await conn.execute("INSERT INTO t VALUES (1)")

                with pytest.raises(PoolMisuseError, match="another event loop"):
                    await asyncio.to_thread(asyncio.run, insert())
            assert await pool.fetch_all("SELECT * FROM t") == []

    asyncio.run(main())
