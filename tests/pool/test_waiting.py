"""Who waits: bounded, in order, and told who is in the way."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.pool.support import eventually, pool_over

from meshaccel.errors import ConnectionPoolExhausted, PoolClosedError
from meshaccel.pool.growth import PARALLEL


def test_timeout_says_who_has_the_connections(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1, leak_after=60.0) as pool:
            async with pool.acquire():
                with pytest.raises(ConnectionPoolExhausted, match="1 of 1 are in use") as caught:
                    async with pool.acquire(timeout=0.01):
                        pass
                (holder,) = caught.value.holders
                assert "test_waiting.py" in holder
                assert "test_timeout_says_who" in str(caught.value)
                assert isinstance(caught.value, TimeoutError)
            assert pool.stats().timeouts == 1
            async with pool.acquire(timeout=60):
                pass

    asyncio.run(run())


def test_single_statements_time_out_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1, acquire_timeout=0.01) as pool:
            async with pool.acquire(timeout=60):
                with pytest.raises(ConnectionPoolExhausted, match="leak_after"):
                    await pool.fetch_one("SELECT 1")
                with pytest.raises(ConnectionPoolExhausted, match="writer"):
                    await pool.execute("DELETE FROM t")
            async with pool.acquire(timeout=60) as conn:
                assert await conn.fetch_one("SELECT 1") == (1,)

    asyncio.run(run())


def test_full_queue_turns_away_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1, max_waiting=2) as pool:
            async with pool.acquire():
                waiting = [asyncio.create_task(pool.fetch_one("SELECT 1")) for _ in range(2)]
                await asyncio.sleep(0)
                with pytest.raises(ConnectionPoolExhausted, match="2 are waiting already"):
                    await pool.fetch_one("SELECT 1")
            assert await asyncio.gather(*waiting) == [(1,), (1,)]
            assert pool.stats().rejected == 1

    asyncio.run(run())


def test_order_of_arrival_whatever_is_wanted(tmp_path: Path) -> None:
    """Users of a connection and single reads share one queue."""

    async def run() -> None:
        order: list[int] = []

        async def read(number: int) -> None:
            await pool.run_read(lambda _: order.append(number))

        async def use(number: int) -> None:
            async with pool.acquire() as conn:
                await conn.run(lambda _: order.append(number))

        async with pool_over(tmp_path, 1) as pool:
            async with pool.acquire():
                tasks = []
                for number in range(30):
                    tasks.append(asyncio.create_task((read, use)[number % 3 == 0](number)))
                    await asyncio.sleep(0)
            await asyncio.gather(*tasks)
        assert order == list(range(30))

    asyncio.run(run())


def test_writes_in_order_of_arrival(tmp_path: Path) -> None:
    async def run() -> None:
        async def lease(number: int) -> None:
            async with pool.write() as conn:
                await conn.execute("INSERT INTO t (x) VALUES (?)", (number,))

        async def single(number: int) -> None:
            await pool.execute("INSERT INTO t (x) VALUES (?)", (number,))

        async with pool_over(tmp_path, 2) as pool:
            tasks = []
            for number in range(50):
                tasks.append(asyncio.create_task((single, lease)[number % 5 == 0](number)))
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)
            rows = await pool.fetch_all("SELECT x FROM t ORDER BY id")
            assert rows == [(number,) for number in range(50)]

    asyncio.run(run())


def test_pool_of_one_serves_readers_and_writers_in_turn(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            writes = [pool.execute("INSERT INTO t (x) VALUES (1)") for _ in range(100)]
            reads = [pool.fetch_one("SELECT count(*) FROM t") for _ in range(100)]
            mixed = [each for pair in zip(writes, reads, strict=True) for each in pair]
            async with asyncio.timeout(60):
                await asyncio.gather(*mixed)
            assert pool.stats().size == 1

    asyncio.run(run())


def test_lazy_growth_up_to_the_bound(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 4) as pool:
            assert pool.stats().size == 1
            for _ in range(100):
                await pool.fetch_one("SELECT 1")
            assert pool.stats().size <= 2, "one after the other need no more"
            users = [await pool.acquire() for _ in range(3)]
            assert pool.stats().size == 4, "three, and the writer's"
            with pytest.raises(ConnectionPoolExhausted):
                await pool.acquire(timeout=0.01)
            for user in users:
                user.release()

    asyncio.run(run())


def test_long_reads_do_not_hold_up_short_ones(tmp_path: Path) -> None:
    """Single reads make the pool grow when they have to wait."""

    async def run() -> None:
        async with pool_over(tmp_path, 8) as pool:
            hold = threading.Event()
            long = [asyncio.create_task(pool.run_read(lambda _: hold.wait(300))) for _ in range(5)]
            await eventually(lambda: pool.stats().size >= 6)
            async with asyncio.timeout(60):
                assert await pool.fetch_one("SELECT 1") == (1,)
            hold.set()
            await asyncio.gather(*long)

    asyncio.run(run())


def test_closing_sends_away_who_would_wait_too_long(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            conn = await pool.acquire()
            waiting = asyncio.create_task(pool.fetch_one("SELECT 1"))
            writing = asyncio.create_task(pool.execute("DELETE FROM t"))
            await asyncio.sleep(0)
            await pool.close(timeout=0.01)
            for task in (waiting, writing):
                with pytest.raises(PoolClosedError):
                    await task
            with pytest.raises(PoolClosedError):
                await conn.fetch_one("SELECT 1")
            conn.release()

    asyncio.run(run())


def test_writes_do_not_hide_that_the_readers_are_stuck(tmp_path: Path) -> None:
    async def run() -> None:
        gate = threading.Event()
        async with pool_over(tmp_path, PARALLEL + 2) as pool:

            async def write() -> None:
                while not gate.is_set():
                    await pool.execute("INSERT INTO t (x) VALUES (0)")

            tasks: list[asyncio.Task[Any]] = [asyncio.create_task(write())]
            tasks += [
                asyncio.create_task(pool.run_read(lambda _: gate.wait(300)))
                for _ in range(PARALLEL)
            ]
            await eventually(lambda: pool.stats().in_use > PARALLEL)
            try:
                async with asyncio.timeout(60):
                    assert await pool.fetch_one("SELECT 1") == (1,)
            finally:
                gate.set()
                await asyncio.gather(*tasks)

    asyncio.run(run())
