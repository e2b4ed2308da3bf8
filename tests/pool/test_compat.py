"""A pooled connection under aiosqlite's name."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import aiosqlite
import pytest
from tests.pool.support import pool_over

from meshaccel.errors import PoolClosedError


def test_aiosqlite_has_the_private_names_we_override() -> None:
    assert asyncio.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)


def test_code_for_aiosqlite_runs_on_a_pooled_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            threads = threading.active_count()
            async with pool.acquire() as conn:
                db = conn.aiosqlite
                db.row_factory = sqlite3.Row
                await db.execute("BEGIN")
                await db.executemany("INSERT INTO t (x) VALUES (?)", [("a",), ("b",)])
                await db.commit()
                async with db.execute("SELECT id, x FROM t ORDER BY id") as cursor:
                    assert [row["x"] async for row in cursor] == ["a", "b"]
                db.row_factory = None
                assert [*await db.execute_fetchall("SELECT x FROM t WHERE x = 'b'")] == [("b",)]
                assert not db.in_transaction
                await db.close()
                assert threading.active_count() <= threads + 1
                assert await conn.fetch_one("SELECT 1") == (1,)
            with pytest.raises(PoolClosedError):
                await db.execute("SELECT 1")

    asyncio.run(run())
