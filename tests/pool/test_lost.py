"""A transaction that an error took away is not carried on as another."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.pool.support import Endless, pool_over

from meshaccel.errors import DatabaseError


def test_interrupted_write_dooms_its_block(tmp_path: Path) -> None:
    async def run() -> None:
        endless = Endless()
        async with pool_over(tmp_path, on_connect=endless.on_connect) as pool:
            async with pool.write() as conn:
                await conn.execute("INSERT INTO t VALUES (1, 0)")
                writing = asyncio.create_task(conn.execute(f"INSERT INTO t (x) {endless.sql}"))
                await endless.begun()
                writing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await writing
                with pytest.raises(DatabaseError, match="lost"):
                    await conn.execute("INSERT INTO t VALUES (2, 0)")
                with pytest.raises(DatabaseError, match="lost"):
                    await conn.commit()
                conn.release()
            assert await pool.fetch_all("SELECT id FROM t") == []

    asyncio.run(run())


def test_leaving_the_block_tells_of_the_loss(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            await pool.execute("INSERT INTO t VALUES (1, 0)")

            async def write() -> None:
                async with pool.write() as conn:
                    await conn.execute("INSERT INTO t VALUES (2, 0)")
                    with pytest.raises(sqlite3.IntegrityError):
                        await conn.execute("INSERT OR ROLLBACK INTO t VALUES (1, 0)")

            with pytest.raises(DatabaseError, match="lost"):
                await write()
            async with pool.write() as conn:
                await conn.execute("INSERT INTO t VALUES (3, 0)")
            assert await pool.fetch_all("SELECT id FROM t") == [(1,), (3,)]

    asyncio.run(run())


def test_failed_statement_costs_only_itself(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            async with pool.write() as conn:
                await conn.execute("INSERT INTO t VALUES (1, 0)")
                with pytest.raises(sqlite3.IntegrityError):
                    await conn.execute("INSERT INTO t VALUES (1, 0)")
                await conn.commit()
                await conn.execute("INSERT INTO t VALUES (2, 0)")
            assert await pool.fetch_all("SELECT id FROM t") == [(1,), (2,)]

    asyncio.run(run())
