"""Files are created, taken over or refused; a file that is refused is left as it was."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from meshaccel.db.database import Database
from meshaccel.db.migrations import APPLICATION_ID, available, migrate
from meshaccel.errors import DatabaseError, IncompatibleDatabaseError

OPEN = """
import asyncio, sys
from meshaccel.db.database import Database
async def main():
    await (await Database.open(sys.argv[1])).close()
print(flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


async def _open_and_close(path: Path | str) -> None:
    try:
        await (await Database.open(str(path))).close()
    finally:
        # aiosqlite's thread tells the loop of its end, even after a failure nobody waits for.
        for thread in threading.enumerate():
            if thread.name.endswith("(_connection_worker_thread)"):
                await asyncio.to_thread(thread.join, 5)


def open_and_close(path: Path | str) -> None:
    asyncio.run(_open_and_close(path))


def schema(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        facts = [conn.execute(f"PRAGMA {name}").fetchone() for name in ("user_version",)]
        facts += conn.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return facts + conn.execute("SELECT epoch, revision FROM meta").fetchall()


def test_numbers_are_consecutive() -> None:
    assert [number for number, _ in available()] == list(range(1, len(available()) + 1))


def test_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    open_and_close(path)
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (available()[-1][0],)
        assert conn.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert conn.execute("SELECT revision FROM meta").fetchall() == [(0,)]


def test_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    open_and_close(path)
    before = schema(path)
    open_and_close(path)
    assert schema(path) == before


def test_empty_file_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    open_and_close(path)
    assert schema(path)


def test_failing_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "half.db"
    broken = [*available(), (99, "CREATE TABLE more (x); CREATE TABLE broken (;")]
    monkeypatch.setattr("meshaccel.db.migrations.available", lambda: broken)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        with pytest.raises(sqlite3.Error):
            migrate(conn)
        assert conn.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        assert conn.execute("PRAGMA user_version").fetchone() == (0,)


def test_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    open_and_close(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(IncompatibleDatabaseError, match="999"):
        open_and_close(path)
    assert path.read_bytes() == before


FOREIGN = {
    "upstream's registry": "CREATE TABLE agents (id TEXT); CREATE TABLE capabilities (id TEXT);"
    " CREATE TABLE schema_migrations (version INTEGER);",
    "another program's": "PRAGMA application_id = 7; CREATE TABLE t (x);",
    "another program's, versioned": "PRAGMA user_version = 1; CREATE TABLE t (x);",
    "another program's, still empty": "PRAGMA application_id = 7;",
}


@pytest.mark.parametrize("whose", FOREIGN)
def test_foreign_file_is_refused_and_left_alone(tmp_path: Path, whose: str) -> None:
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(FOREIGN[whose])
    before = path.read_bytes()
    with pytest.raises(IncompatibleDatabaseError, match="another program"):
        open_and_close(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["foreign.db"]


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\7" * 9000]
)
def test_garbage_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseError):
        open_and_close(path)
    assert path.read_bytes() == content


def test_corrupted_pages_give_database_errors(tmp_path: Path) -> None:
    path = tmp_path / "corrupted.db"
    open_and_close(path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)

    async def run() -> None:
        async with await Database.open(str(path)) as database:
            await database.read(lambda conn: conn.execute("SELECT * FROM agents").fetchall())

    with pytest.raises(DatabaseError):
        asyncio.run(run())


@pytest.mark.parametrize("name", [".", "missing/r.db", "a\0b"])
def test_path_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseError, match="cannot open"):
        open_and_close(f"{tmp_path}/{name}")


def test_several_processes_create_one_file(tmp_path: Path) -> None:
    """One makes it; who comes while that one has it open is refused."""
    for attempt in range(3):
        path = tmp_path / f"{attempt}.db"
        command = [sys.executable, "-c", OPEN, str(path)]
        pipe = subprocess.PIPE
        opened = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(3)]
        for process in opened:
            assert process.stdout is not None
            process.stdout.readline()
        results = []
        for process in opened:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        for process in opened:
            _, errors = process.communicate(timeout=100)
            results.append((process.returncode, errors))
        assert any(code == 0 for code, _ in results), results
        assert all(code == 0 or b"in use by another" in errors for code, errors in results)
        assert schema(path)
