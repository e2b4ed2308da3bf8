"""One registry to a database file: what one keeps in memory, another would make stale."""

import os
import sqlite3

from meshaccel.db.private import make_private
from meshaccel.errors import DatabaseError, DatabaseInUseError


def claim(path: str) -> sqlite3.Connection:
    """Claim a database file until the returned connection is closed.

    The claim is SQLite's own lock on an empty file beside the database: it holds between
    processes and within one, on every platform, and ends with its process however that ends.

    Raises:
        DatabaseInUseError: another registry has claimed the file.
        DatabaseError: the file beside it is not writable.
        sqlite3.Error: the file beside it cannot be made.
    """
    beside = f"{os.path.realpath(path)}-owner"
    make_private(beside)
    claimed = sqlite3.connect(beside, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # No journal beside it: what is written below is only tried, and never committed.
        claimed.execute("PRAGMA journal_mode = MEMORY")
        claimed.execute("BEGIN EXCLUSIVE")
        # Of a file that this process may only read, SQLite takes no lock that keeps others out.
        claimed.execute("PRAGMA user_version = 1")
    except sqlite3.Error as error:
        claimed.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise DatabaseInUseError(
                f"{path} is in use by another registry: stop that one, or give this one a file"
                " of its own"
            ) from error
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
            raise DatabaseError(f"cannot claim {path}: {beside} is not writable") from error
        raise
    return claimed
