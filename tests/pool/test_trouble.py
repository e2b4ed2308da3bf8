"""Files, disks and processes that make trouble."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.pool.support import ManualClock, eventually, pool_over

from meshaccel.errors import ConnectionPoolExhausted, DatabaseError
from meshaccel.pool import ConnectionPool

FULL_DISK = """
import asyncio, resource, signal, sqlite3, sys
from meshaccel.pool import ConnectionPool

async def main():
    async with ConnectionPool(sys.argv[1], 2) as pool:
        await pool.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
        await pool.execute("INSERT INTO t VALUES (1, 'small')")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        async with pool.write():
            small = asyncio.create_task(pool.execute("INSERT INTO t VALUES (2, 'small')"))
            big = asyncio.create_task(pool.execute("INSERT INTO t VALUES (3, randomblob(9000000))"))
            last = asyncio.create_task(pool.execute("INSERT INTO t VALUES (4, 'small')"))
            await asyncio.sleep(0)
        await small
        try:
            await big
        except sqlite3.Error as error:
            assert "full" in str(error) or "I/O" in str(error), error
        else:
            raise SystemExit("nine megabytes fitted in")
        await last
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await pool.execute("INSERT INTO t VALUES (5, randomblob(9000000))")
        assert await pool.fetch_all("SELECT id FROM t") == [(1,), (2,), (4,), (5,)]

asyncio.run(main())
"""

FORK = """
import asyncio, os, sys, warnings
from meshaccel.errors import PoolMisuseError
from meshaccel.pool import ConnectionPool

async def use(pool):
    try:
        await pool.fetch_one("SELECT 1")
    except PoolMisuseError as error:
        assert "fork" in str(error)
    else:
        raise SystemExit("used on both sides")
    async with ConnectionPool(sys.argv[1], 2) as own:
        await own.execute("INSERT INTO t VALUES (2)")

async def main():
    pool = ConnectionPool(sys.argv[1], 2)
    await pool.open()
    await pool.execute("CREATE TABLE t (x)")
    await pool.execute("INSERT INTO t VALUES (1)")
    child = os.fork()
    if child == 0:
        asyncio._set_running_loop(None)
        asyncio.run(use(pool))
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert await pool.fetch_all("SELECT x FROM t") == [(1,), (2,)]
    await pool.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has neither")
@pytest.mark.parametrize("program", [FULL_DISK, FORK], ids=["full disk", "fork"])
def test_in_a_process_of_its_own(tmp_path: Path, program: str) -> None:
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "t.db"], check=True, timeout=100, cwd=tmp_path
    )


def test_locked_by_another_process(tmp_path: Path) -> None:
    """Writers wait for it, and are told if it takes too long; readers are not held up."""

    async def run() -> None:
        async with pool_over(tmp_path, busy_timeout=0.1) as pool:
            with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    await pool.execute("INSERT INTO t (x) VALUES (1)")
                assert await pool.fetch_all("SELECT * FROM t") == []
                other.execute("ROLLBACK")
        async with pool_over(tmp_path, busy_timeout=60) as pool:
            with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                waiting = asyncio.create_task(pool.execute("INSERT INTO t (x) VALUES (2)"))
                await eventually(lambda: pool.stats().busy_retries > 0)
                other.execute("COMMIT")
                await waiting
            assert await pool.fetch_all("SELECT x FROM t") == [(2,)]

    asyncio.run(run())


@pytest.mark.parametrize("name", [".", "missing/t.db", "", "no\0name"])
def test_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        pool = ConnectionPool(str(tmp_path / name) if name else "")
        with pytest.raises(DatabaseError, match="cannot open"):
            await pool.open()
        await pool.close()

    asyncio.run(run())


def test_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all\n" * 100)

    async def run() -> None:
        with pytest.raises(DatabaseError, match="not a database"):
            await ConnectionPool(path).open()

    asyncio.run(run())
    assert path.read_text() == "not a database at all\n" * 100
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_is_damaged_later(tmp_path: Path) -> None:
    """What cannot be read is an error of SQLite's; the pool goes on."""

    async def run() -> None:
        async with pool_over(tmp_path) as pool:
            await pool.execute_many("INSERT INTO t (x) VALUES (?)", [("x" * 500,)] * 200)
        size = (tmp_path / "t.db").stat().st_size
        with (tmp_path / "t.db").open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * (size - 8192))
        async with ConnectionPool(tmp_path / "t.db") as pool:
            for _ in range(3):
                with pytest.raises(sqlite3.DatabaseError, match="malformed"):
                    await pool.fetch_all("SELECT * FROM t")
            assert await pool.fetch_one("SELECT 1") == (1,)

    asyncio.run(run())


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")
def test_file_that_is_removed_while_open(tmp_path: Path) -> None:
    """It is noticed after idling, and no empty database is put in its place."""

    async def run() -> None:
        clock = ManualClock()
        async with pool_over(tmp_path, clock=clock) as pool:
            await pool.execute("INSERT INTO t (x) VALUES (1)")
            kept = (tmp_path / "t.db").rename(tmp_path / "elsewhere.db")
            clock.now += 1
            for _ in range(3):
                with pytest.raises(DatabaseError, match="removed"):
                    await pool.fetch_all("SELECT * FROM t")
            with pytest.raises(DatabaseError, match="removed"):
                await pool.execute("DELETE FROM t")
            assert not (tmp_path / "t.db").exists()
            os.replace(kept, tmp_path / "t.db")  # noqa: PTH105 - rename refuses on some systems
            assert len(await pool.fetch_all("SELECT x FROM t")) == 1

    asyncio.run(run())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anything")
def test_file_that_may_only_be_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as raw:
        raw.execute("CREATE TABLE t (x)")
    (tmp_path / "t.db").chmod(0o444)

    async def run() -> None:
        async with ConnectionPool(tmp_path / "t.db") as pool:
            assert await pool.fetch_all("SELECT * FROM t") == []
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await pool.execute("DELETE FROM t")

    asyncio.run(run())


def test_system_without_threads_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        async with pool_over(tmp_path) as pool, pool.write():
            await pool.fetch_one("SELECT 1")
            async with pool.acquire():
                with monkeypatch.context() as patched:
                    patched.setattr(threading.Thread, "start", refuse)
                    with pytest.raises(ConnectionPoolExhausted):
                        async with pool.acquire(timeout=0.01):
                            pass
                assert pool.stats().opening == 0
                async with pool.acquire():
                    assert pool.stats().in_use == 3

    asyncio.run(run())
