"""Cancelled at any point: nothing is lost, and nobody else is held up."""

import asyncio
import random
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.pool.support import FOR_EVER, Endless, eventually, pool_over

from meshaccel.errors import ConnectionPoolExhausted
from meshaccel.pool import ConnectionPool


@pytest.mark.parametrize("way", ["fetch_all", "run_read", "run_write", "execute", "acquire"])
def test_running_statement_is_interrupted(tmp_path: Path, way: str) -> None:
    endless = Endless()

    async def use(pool: ConnectionPool) -> None:
        if way == "acquire":
            async with pool.acquire() as conn:
                await conn.fetch_all(endless.sql)
        elif way.startswith("run"):
            await getattr(pool, way)(lambda raw: raw.execute(endless.sql).fetchall())
        else:
            await getattr(pool, way)(endless.sql)

    async def run() -> None:
        async with pool_over(tmp_path, 1, on_connect=endless.on_connect) as pool:
            using = asyncio.create_task(use(pool))
            await endless.begun()
            using.cancel()
            with pytest.raises(asyncio.CancelledError):
                await using
            async with asyncio.timeout(60):
                assert await pool.fetch_one("SELECT 1") == (1,)
                await pool.execute("DELETE FROM t")
            assert pool.stats().interrupts == 1

    asyncio.run(run())


def test_interrupt_is_repeated_until_the_work_ends(tmp_path: Path) -> None:
    """One that comes between two statements is forgotten by SQLite."""
    started = threading.Event()
    go_on = threading.Event()

    def work(raw: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(300)
        raw.execute(FOR_EVER).fetchall()

    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            task = asyncio.create_task(pool.run_read(work))
            await eventually(started.is_set)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            go_on.set()
            async with asyncio.timeout(60):
                assert await pool.fetch_one("SELECT 1") == (1,)

    asyncio.run(run())


def test_connection_is_reused_only_when_sqlite_let_go(tmp_path: Path) -> None:
    """What is cancelled in the middle of Python code keeps its connection until it ends."""
    started, go_on, events = threading.Event(), threading.Event(), list[str]()

    def work(_: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(300)
        events.append("ended")

    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            conn = await pool.acquire()
            task = asyncio.create_task(conn.run(work))
            await eventually(started.is_set)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            conn.release()
            following = asyncio.create_task(pool.run_read(lambda _: events.append("next")))
            with pytest.raises(ConnectionPoolExhausted):
                await pool.acquire(timeout=0.02)
            go_on.set()
            await following
            assert events == ["ended", "next"]

    asyncio.run(run())


def test_queued_write_that_is_cancelled_is_not_written(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.write():
                tasks = [
                    asyncio.create_task(pool.execute("INSERT INTO t (x) VALUES (?)", (number,)))
                    for number in range(10)
                ]
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait(tasks)
            rows = await pool.fetch_all("SELECT x FROM t ORDER BY x")
            assert rows == [(1,), (3,), (5,), (7,), (9,)]
            assert pool.stats().cancelled == 5

    asyncio.run(run())


def test_waiting_for_another_process_ends_with_the_cancellation(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, busy_timeout=3600.0) as pool:
            with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                deleting = asyncio.create_task(pool.execute("DELETE FROM t"))
                await eventually(lambda: pool.stats().busy_retries > 0)
                deleting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await deleting
                other.execute("ROLLBACK")
            async with asyncio.timeout(60):
                await pool.execute("DELETE FROM t")

    asyncio.run(run())


class Storm:
    """Users of all kinds, and what they may and must have written."""

    def __init__(self, pool: ConnectionPool, chance: random.Random) -> None:
        self.pool = pool
        self.chance = chance
        self.most = 0
        self.tried: set[int] = set()
        self.written: set[int] = set()

    async def user(self, number: int) -> None:
        """Use the pool in one of its ways."""
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        stats = self.pool.stats()
        self.most = max(self.most, stats.size + stats.opening)
        await (self.read, self.insert, self.write, self.leave_open, self.snapshot)[number % 5](
            number
        )

    async def read(self, _: int) -> None:
        """A query."""
        await self.pool.fetch_all("SELECT * FROM t LIMIT 5")

    async def insert(self, number: int) -> None:
        """A single write."""
        self.tried.add(number)
        await self.pool.execute("INSERT INTO t VALUES (?, 1)", (number,))
        self.written.add(number)

    async def write(self, number: int) -> None:
        """A write transaction."""
        self.tried.add(number)
        async with self.pool.write() as conn:
            await conn.execute("INSERT INTO t VALUES (?, 2)", (number,))
        self.written.add(number)

    async def leave_open(self, _: int) -> None:
        """A transaction that is not ended."""
        async with self.pool.acquire() as conn:
            await conn.execute("BEGIN")
            await conn.fetch_all("SELECT count(*) FROM t")

    async def snapshot(self, _: int) -> None:
        """A read transaction."""
        async with self.pool.read() as conn:
            await conn.run(lambda raw: raw.execute("SELECT 1").fetchall())
            await asyncio.sleep(0)

    async def blow(self, users: int) -> None:
        """Let users loose and cancel them at random; only a timeout may be raised."""
        tasks = [asyncio.create_task(self.user(number)) for number in range(users)]
        while any(not task.done() for task in tasks):
            await asyncio.sleep(0)
            if self.chance.random() < 0.5:
                self.chance.choice(tasks).cancel()
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, ConnectionPoolExhausted), error


@pytest.mark.parametrize("seed", range(6))
def test_storm(tmp_path: Path, seed: int) -> None:
    """Users of all kinds, cancelled and timed out at random, and nothing is amiss afterwards."""
    chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
    size = chance.choice([1, 2, 4])
    patience = chance.choice([0.002, 5.0])

    async def run() -> None:
        async with pool_over(tmp_path, size, acquire_timeout=patience) as pool:
            storm = Storm(pool, chance)
            await storm.blow(300)
            assert storm.most <= size
            await eventually(lambda: pool.stats().in_use == 0 and pool.stats().waiting == 0)
            async with pool.acquire(timeout=60) as conn:
                rows = {row[0] for row in await conn.fetch_all("SELECT id FROM t")}
            assert storm.written <= rows <= storm.tried
            # All connections are there: the lane keeps one where there are several.
            users = [await pool.acquire(timeout=60) for _ in range(max(size - 1, 1))]
            for conn in users:
                assert not conn.in_transaction
                conn.release()
            async with pool.write(timeout=60) as conn:
                await conn.execute("DELETE FROM t")

    asyncio.run(run())


def test_cancelling_every_task_leaves_the_writer_at_work(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            async with pool.acquire():
                waiting = asyncio.create_task(pool.execute("INSERT INTO t VALUES (1, 0)"))
                await asyncio.sleep(0)
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                await asyncio.wait([waiting])
            async with asyncio.timeout(60):
                await pool.execute("INSERT INTO t VALUES (2, 0)")
            assert await pool.fetch_all("SELECT id FROM t") == [(2,)]

    asyncio.run(run())
