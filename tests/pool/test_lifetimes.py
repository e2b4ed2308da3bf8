"""How long connections live; the clock is set by hand."""

import asyncio
import logging
from pathlib import Path

import pytest
from tests.pool.support import ManualClock, pool_over

from meshaccel.pool import ConnectionPool
from meshaccel.pool.sqlite import SqlitePool


def sweep(pool: ConnectionPool) -> None:
    """Do what the pool does every few seconds."""
    assert isinstance(pool._backend, SqlitePool)
    pool._backend._sweep()


async def grow(pool: ConnectionPool, size: int) -> None:
    """Use several connections at once."""
    users = [await pool.acquire() for _ in range(size)]
    for user in users:
        user.release()


def test_idle_connections_are_closed_down_to_the_minimum(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        async with pool_over(tmp_path, 5, clock=clock, min_connections=2, idle_timeout=60) as pool:
            await grow(pool, 4)
            assert pool.stats().size == 5
            clock.now += 59
            sweep(pool)
            assert pool.stats().size == 5
            clock.now += 2
            sweep(pool)
            assert pool.stats().size == 2
            assert pool.stats().expired == 3
            assert await pool.fetch_one("SELECT 1") == (1,)

    asyncio.run(run())


def test_old_connections_are_replaced_not_all_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        numbers = iter([0.0, 0.5, 0.999, *[0.0] * 20])
        async with pool_over(
            tmp_path, 3, clock=clock, random=lambda: next(numbers), max_lifetime=100
        ) as pool:
            await grow(pool, 2)
            assert pool.stats().opened == 3
            for age, closed in ((90, 0), (91, 1), (96, 2), (101, 3)):
                clock.now = 1000.0 + age
                sweep(pool)
                assert pool.stats().closed == closed
            assert await pool.fetch_one("SELECT 1") == (1,)
            assert pool.stats().opened == 4

    asyncio.run(run())


def test_connection_in_use_is_replaced_when_it_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        async with pool_over(tmp_path, 3, clock=clock, max_lifetime=100) as pool:
            async with pool.acquire() as conn:
                clock.now += 200
                assert await conn.fetch_one("SELECT 1") == (1,)
                closed = pool.stats().closed
            assert pool.stats().closed == closed + 1

    asyncio.run(run())


def test_health_is_checked_only_after_idling(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        async with pool_over(tmp_path, clock=clock, check_after=0.5) as pool:
            for _ in range(10):
                await pool.fetch_one("SELECT 1")
                clock.now += 0.4
            assert pool.stats().health_checks == 0
            clock.now += 0.6
            await pool.fetch_one("SELECT 1")
            clock.now += 0.6
            async with pool.acquire() as conn:
                await conn.fetch_one("SELECT 1")
            clock.now += 0.6
            await pool.execute("DELETE FROM t")
            assert pool.stats().health_checks == 3

    asyncio.run(run())


def test_connections_that_leak_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        clock = ManualClock()
        async with pool_over(tmp_path, clock=clock, leak_after=10) as pool:
            async with pool.acquire():
                clock.now += 9
                sweep(pool)
                assert not caplog.records
                clock.now += 2
                sweep(pool)
                sweep(pool)
            assert pool.stats().leaks == 1
        (record,) = caplog.records
        assert "held for 11.0 s" in record.getMessage()
        assert "test_connections_that_leak_are_named" in record.getMessage()

    with caplog.at_level(logging.WARNING, "meshaccel.pool"):
        asyncio.run(run())


def test_connection_that_is_dropped_comes_back_with_a_warning(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path, 1) as pool:
            conn = await pool.acquire()
            await conn.execute("BEGIN")
            held = [conn]
            del conn
            with pytest.warns(ResourceWarning, match="never given back"):
                held.clear()
            async with pool.acquire(timeout=60) as again:
                assert not again.in_transaction
            assert pool.stats().leaks == 1

    asyncio.run(run())


def test_pool_that_is_dropped_ends_its_threads_with_a_warning(tmp_path: Path) -> None:
    async def run() -> None:
        pool = ConnectionPool(tmp_path / "t.db")
        await pool.open()
        assert isinstance(pool._backend, SqlitePool)
        workers = tuple(pool._backend._connections.workers)
        held = [pool]
        del pool
        with pytest.warns(ResourceWarning, match="never closed"):
            held.clear()
        assert all(worker.join(60) for worker in workers)

    asyncio.run(run())
