"""Errors of SQLite, all of them raised by SQLite."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest
from tests.resilience.classification_support import (
    CONNECTION,
    TRANSACTION,
    A,
    Expected,
    P,
    T,
    check,
    raised_by,
    raised_by_awaiting,
)

from meshaccel.resilience.classification import DEFAULT_CLASSIFIER


def connect(path: Path, **options: object) -> sqlite3.Connection:
    """Open a file without transactions of its own or waiting for locks."""
    return sqlite3.connect(path, isolation_level=None, timeout=0, **options)  # type: ignore[call-overload,no-any-return]


def filled(path: Path) -> sqlite3.Connection:
    """Make a database with one table and one row."""
    conn = connect(path)
    conn.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL UNIQUE CHECK (x <> ''))")
    conn.execute("INSERT INTO t VALUES (1, 'one')")
    return conn


def busy(path: Path) -> Exception:
    with closing(filled(path)) as one, closing(connect(path)) as other:
        one.execute("BEGIN IMMEDIATE")
        return raised_by(lambda: other.execute("INSERT INTO t VALUES (2, 'two')"))


def busy_at_commit(path: Path) -> Exception:
    with closing(filled(path)) as one, closing(connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        one.execute("BEGIN")
        one.execute("INSERT INTO t VALUES (2, 'two')")
        return raised_by(lambda: one.execute("COMMIT"))


def busy_snapshot(path: Path) -> Exception:
    with closing(filled(path)) as one, closing(connect(path)) as other:
        one.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN")
        other.execute("SELECT * FROM t").fetchall()
        one.execute("INSERT INTO t VALUES (2, 'two')")
        return raised_by(lambda: other.execute("INSERT INTO t VALUES (3, 'three')"))


def locked_shared_cache(path: Path) -> Exception:
    uri = f"file:{path.name}?mode=memory&cache=shared"
    with (
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as one,
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as other,
    ):
        one.execute("CREATE TABLE t (x)")
        one.execute("BEGIN IMMEDIATE")
        one.execute("INSERT INTO t VALUES (1)")
        return raised_by(lambda: other.execute("SELECT * FROM t"))


def locked_by_own_cursor(path: Path) -> Exception:
    with closing(filled(path)) as conn:
        cursor = conn.execute("SELECT 1 FROM t UNION ALL SELECT 2")
        next(cursor)
        error = raised_by(lambda: conn.execute("DROP TABLE t"))
        cursor.close()
        return error


def full(path: Path) -> Exception:
    with closing(filled(path)) as conn:
        (pages,) = conn.execute("PRAGMA page_count").fetchone()
        conn.execute(f"PRAGMA max_page_count = {pages}")
        return raised_by(lambda: conn.execute("INSERT INTO t VALUES (2, hex(zeroblob(100000)))"))


def corrupt(path: Path) -> Exception:
    with closing(filled(path)) as conn:
        conn.executemany(
            "INSERT INTO t VALUES (?, ?)", [(number, f"{number:500}") for number in range(2, 99)]
        )
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with closing(connect(path)) as conn:
        return raised_by(lambda: conn.execute("SELECT * FROM t ORDER BY x").fetchall())


def not_a_database(path: Path) -> Exception:
    path.write_bytes(b"no database" * 1000)
    with closing(connect(path)) as conn:
        return raised_by(lambda: conn.execute("SELECT * FROM sqlite_schema"))


def read_only(path: Path) -> Exception:
    filled(path).close()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return raised_by(lambda: conn.execute("DELETE FROM t"))


def cannot_open(path: Path) -> Exception:
    return raised_by(lambda: sqlite3.connect(path / "in" / "nowhere"))


def interrupted(path: Path) -> Exception:
    with closing(filled(path)) as conn:
        conn.set_progress_handler(lambda: 1, 1)
        return raised_by(lambda: conn.execute("SELECT * FROM t").fetchall())


def not_authorised(path: Path) -> Exception:
    with closing(filled(path)) as conn:
        conn.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        return raised_by(lambda: conn.execute("SELECT * FROM t"))


def closed(path: Path) -> Exception:
    conn = filled(path)
    conn.close()
    return raised_by(lambda: conn.execute("SELECT 1"))


def statement(sql: str) -> Callable[[Path], Exception]:
    """An error of one statement."""

    def raised(path: Path) -> Exception:
        with closing(filled(path)) as conn:
            conn.execute("PRAGMA foreign_keys = ON")
            conn.execute("CREATE TABLE child (parent REFERENCES t (id))")
            return raised_by(lambda: conn.execute(sql))

    return raised


CASES: dict[str, tuple[Callable[[Path], Exception], int | None, Expected]] = {
    "busy": (busy, 5, (T, TRANSACTION, None)),
    "busy at commit": (busy_at_commit, 5, (T, TRANSACTION, None)),
    "busy snapshot": (busy_snapshot, 517, (T, TRANSACTION, None)),
    "locked, shared cache": (locked_shared_cache, 262, (T, TRANSACTION, None)),
    "locked by own cursor": (locked_by_own_cursor, 6, (T, TRANSACTION, None)),
    "full": (full, 13, P),
    "corrupt": (corrupt, 11, P),
    "not a database": (not_a_database, 26, P),
    "read-only": (read_only, 8, P),
    "cannot open": (cannot_open, 14, (T, CONNECTION, "breaker")),
    "interrupted": (interrupted, 9, P),
    "not authorised": (not_authorised, 23, P),
    "closed": (closed, None, P),
    "unique": (statement("INSERT INTO t VALUES (2, 'one')"), 2067, P),
    "primary key": (statement("INSERT INTO t VALUES (1, 'two')"), 1555, P),
    "not null": (statement("INSERT INTO t VALUES (2, NULL)"), 1299, P),
    "check": (statement("INSERT INTO t VALUES (2, '')"), 275, P),
    "foreign key": (statement("INSERT INTO child VALUES (9)"), 787, P),
    "no such table": (statement("SELECT * FROM nothing"), 1, P),
    "syntax": (statement("SELEKT"), 1, P),
    "type": (statement("INSERT INTO t (id) VALUES ('x')"), 20, P),
    "too big": (statement("SELECT zeroblob(2000000000)"), 18, P),
    "two statements": (statement("SELECT 1; SELECT 2"), None, P),
}


@pytest.mark.parametrize("name", CASES)
def test_raised_by_sqlite(name: str, tmp_path: Path) -> None:
    make, code, expected = CASES[name]
    error = make(tmp_path / "db")
    assert isinstance(error, sqlite3.Error | sqlite3.Warning)
    assert getattr(error, "sqlite_errorcode", None) == code
    check(error, expected)


def test_raised_by_aiosqlite(tmp_path: Path) -> None:
    filled(tmp_path / "db").close()

    async def run() -> None:
        async with (
            aiosqlite.connect(tmp_path / "db", isolation_level=None, timeout=0) as one,
            aiosqlite.connect(tmp_path / "db", isolation_level=None, timeout=0) as other,
        ):
            await one.execute("BEGIN IMMEDIATE")
            locked = await raised_by_awaiting(other.execute("INSERT INTO t VALUES (2, 'two')"))
            check(locked, (T, TRANSACTION, None))
            check(await raised_by_awaiting(other.execute("SELEKT")), P)
        check(await raised_by_awaiting(one.execute("SELECT 1")), P)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY_RECOVERY, (T, TRANSACTION, None)),
        (sqlite3.SQLITE_IOERR, (T, CONNECTION, "breaker")),
        (sqlite3.SQLITE_IOERR_READ, (T, CONNECTION, "breaker")),
        (sqlite3.SQLITE_IOERR_FSYNC, (A, CONNECTION, "breaker")),
        (sqlite3.SQLITE_PROTOCOL, (T, CONNECTION, "breaker")),
        (sqlite3.SQLITE_NOMEM, (T, CONNECTION, "breaker")),
    ],
)
def test_what_a_working_disk_does_not_do(code: int, expected: Expected) -> None:
    error = sqlite3.OperationalError("made up")
    error.sqlite_errorcode = code
    check(error, expected)


def test_a_disk_gets_one_more_chance() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    assert DEFAULT_CLASSIFIER.classify(error).max_attempts == 2


def test_a_snapshot_does_not_heal_in_its_transaction(tmp_path: Path) -> None:
    """Why the unit is the transaction: the statement alone fails as long as one likes."""
    path = tmp_path / "db"
    with closing(filled(path)) as one, closing(connect(path)) as other:
        one.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN")
        other.execute("SELECT * FROM t").fetchall()
        one.execute("INSERT INTO t VALUES (2, 'two')")
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                other.execute("INSERT INTO t VALUES (3, 'three')")
        other.execute("ROLLBACK")
        other.execute("INSERT INTO t VALUES (3, 'three')")
