"""The file of a ``SqliteL2``: its tables, and whether a file is one.

Written with ``synchronous=NORMAL``, the last commits may be lost when the machine dies, and with
them invalidations that were acknowledged. So the file keeps the identity of the boot it was
written in, and begins another incarnation in the next: its entries no longer count. Where boots
have no identity, or if asked for, every commit reaches the disk before it is acknowledged.
"""

import logging
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from meshaccel.errors import SecondLevelError, UnusableStoreError

log = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x6D734C32
"""``PRAGMA application_id`` of our files ("msL2"): other programs' files are left alone."""

FORMAT: Final = 1
"""``PRAGMA user_version``; a store of another format is not read."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

_TABLES: Final = (
    # One row. An entry with a number below the floor is stale: notes up to there are forgotten.
    # The same for keys, but only for what is still to be written.
    """
    CREATE TABLE IF NOT EXISTS namespace (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        incarnation BLOB NOT NULL, boot TEXT NOT NULL,
        number INTEGER NOT NULL, floor INTEGER NOT NULL, key_floor INTEGER NOT NULL,
        entries INTEGER NOT NULL, bytes INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS tags (
        tag BLOB PRIMARY KEY, invalidated INTEGER NOT NULL, expired INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS gone (key BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, number INTEGER NOT NULL,
        kept_until REAL NOT NULL, used REAL NOT NULL, record BLOB NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS entries_by_end ON entries (kept_until)",
    "CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used, length(record))",
)


def boot_id() -> str | None:
    """Return what tells this boot of the machine from all others, if the system says."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def examine(path: str, *, replace: bool) -> None:
    """Only read, to tell whether a file may be used: it is ours and sound, empty, or not there.

    Args:
        path: of the file.
        replace: put a file that is damaged, or ours of another format, aside (as ``path`` with
            ``.unusable`` added) instead of raising. Its pages are all checked then, which takes
            time in proportion to its size. Another program's database is never touched.

    Raises:
        UnusableStoreError: it may not.
        SecondLevelError: it could not be opened.
    """
    try:
        _examine(path, thorough=replace)
    except sqlite3.OperationalError as error:
        raise SecondLevelError(f"cannot open {path!r}: {error}") from error
    except sqlite3.DatabaseError as error:
        if not replace:
            raise UnusableStoreError(f"cannot use {path!r} as a cache: {error}") from error
        _put_aside(path, str(error))
    except _OtherFormatError as error:
        if not replace:
            raise UnusableStoreError(str(error)) from None
        _put_aside(path, str(error))


class _OtherFormatError(Exception):
    """Ours, but not of this version."""


def _examine(path: str, *, thorough: bool) -> None:
    file = Path(path)
    if not file.exists() or not file.stat().st_size:
        return
    with closing(sqlite3.connect(path)) as conn:
        (tables,) = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (application_id,) = conn.execute("PRAGMA application_id").fetchone()
        (version,) = conn.execute("PRAGMA user_version").fetchone()
        if application_id != APPLICATION_ID:
            if tables or application_id or version:
                raise UnusableStoreError(
                    f"{path!r} belongs to another program: give the cache a file of its own"
                )
            return
        if version != FORMAT:
            raise _OtherFormatError(
                f"{path!r} has format {version}, this meshaccel reads {FORMAT}: upgrade it, or"
                " give the cache another file"
            )
        if thorough:
            (verdict,) = conn.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)


def _put_aside(path: str, reason: str) -> None:
    log.warning("put the cache %s aside and begin another: %s", path, reason)
    # Its log goes first: it must not be taken for that of the file to come.
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(path + suffix).unlink()
    Path(path).replace(path + ".unusable")


def begin(conn: sqlite3.Connection, boot: str) -> None:
    """Create the tables if need be, and another incarnation if this is another boot.

    Args:
        conn: in a write transaction.
        boot: the identity of this boot; empty if what is committed is on disk.
    """
    for statement in _TABLES:
        conn.execute(statement)
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {FORMAT}")
    found = conn.execute("SELECT boot FROM namespace").fetchone()
    if found is None or found[0] not in {"", boot, boot_id()}:
        for table in ("namespace", "tags", "gone", "entries"):
            conn.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
        conn.execute(
            "INSERT INTO namespace VALUES (1, ?, ?, 0, 0, 0, 0, 0)", (secrets.token_bytes(8), boot)
        )
    elif boot:
        conn.execute("UPDATE namespace SET boot = ?", (boot,))
