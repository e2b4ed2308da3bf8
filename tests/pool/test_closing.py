"""Whatever is under way when a pool is closed gets an answer."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from tests.pool.support import FOR_EVER, eventually, pool_over

from meshaccel.errors import PoolClosedError


def test_write_in_the_hands_of_the_writer_is_sent_away(tmp_path: Path) -> None:
    """It was taken out of the queue with the group before it, which the deadline cuts short."""

    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.write():
                endless = asyncio.create_task(pool.execute(f"INSERT INTO t (x) {FOR_EVER}"))
                next_one = asyncio.create_task(pool.run_write(lambda _: None))
                await asyncio.sleep(0)
            await eventually(lambda: pool.stats().write_waiting == 0)
            await pool.close(0.05)
            async with asyncio.timeout(60):
                with pytest.raises(sqlite3.Error):
                    await endless
                with pytest.raises(PoolClosedError):
                    await next_one
            stats = pool.stats()
            assert (stats.size, stats.opening, stats.opened) == (0, 0, stats.closed)

    asyncio.run(run())


def test_work_that_outlives_the_close_still_answers(tmp_path: Path) -> None:
    """Python code cannot be interrupted."""

    async def run() -> None:
        gate = threading.Event()
        async with pool_over(tmp_path) as pool:
            reading = asyncio.create_task(pool.run_read(lambda _: gate.wait(300)))
            await eventually(lambda: pool.stats().in_use == 1)
            await pool.close(0)
            gate.set()
            async with asyncio.timeout(60):
                assert await reading

    asyncio.run(run())
