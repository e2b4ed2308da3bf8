"""One connection, one thread, one hop for each unit of work."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import aiosqlite
import pytest

from meshaccel.db.connection import Connection


def test_aiosqlite_has_the_private_names_we_use() -> None:
    assert asyncio.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)


def test_each_run_is_one_hop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hops: list[object] = []
    execute = aiosqlite.Connection._execute

    async def count(self: aiosqlite.Connection, work: object, *args: object) -> object:
        hops.append(work)
        return await execute(self, work, *args)  # type: ignore[no-untyped-call]

    def work(conn: sqlite3.Connection) -> tuple[int, int]:
        conn.execute("BEGIN")
        conn.execute("CREATE TABLE t (x)")
        conn.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
        conn.execute("COMMIT")
        (total,) = conn.execute("SELECT sum(x) FROM t").fetchone()
        return total, threading.get_ident()

    async def run() -> None:
        connection = await Connection.open(str(tmp_path / "t.db"))
        try:
            monkeypatch.setattr(aiosqlite.Connection, "_execute", count)
            total, thread = await connection.run(work)
            assert len(hops) == 1
        finally:
            await connection.close()
        assert total == 3
        assert thread != threading.get_ident()

    asyncio.run(run())


def test_runs_are_served_in_order_and_errors_come_through(tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(_: sqlite3.Connection) -> None:
        raise LookupError("mine")

    async def run() -> None:
        connection = await Connection.open(str(tmp_path / "t.db"))
        try:
            runs = [connection.run(lambda _, i=i: seen.append(i)) for i in range(50)]  # type: ignore[misc]
            await asyncio.gather(*runs)
            with pytest.raises(LookupError, match="mine"):
                await connection.run(fail)
            assert await connection.run(lambda conn: conn.in_transaction) is False
        finally:
            await connection.close()
            await connection.close()

    asyncio.run(run())
    assert seen == list(range(50))


def test_query_only_connection_cannot_write(tmp_path: Path) -> None:
    async def run() -> None:
        connection = await Connection.open(str(tmp_path / "t.db"), query_only=True)
        try:
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await connection.run(lambda conn: conn.execute("CREATE TABLE t (x)"))
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.mark.parametrize("name", [".", "missing/t.db"])
def test_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    before = threading.active_count()
    with pytest.raises(sqlite3.Error):
        asyncio.run(Connection.open(str(tmp_path / name)))
    for thread in threading.enumerate()[before:]:
        thread.join(5)
    assert threading.active_count() <= before
