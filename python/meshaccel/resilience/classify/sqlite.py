"""SQLite, through ``sqlite3`` or aiosqlite, which raises the errors of ``sqlite3``.

A locked table and one that does not exist are both an ``OperationalError``: only the result code
tells (https://sqlite.org/rescode.html). Nothing is ambiguous but a commit that was not synced: a
transaction that found a lock is still open, and one that did not end is rolled back.
"""

import sqlite3
from collections.abc import Iterator

from meshaccel.resilience.classify.rules import (
    LOST,
    PERMANENT,
    REOPEN_ONCE,
    TRANSACTION,
    Code,
    Codes,
    Rule,
    permanent,
)
from meshaccel.resilience.verdicts import Classification

_PRIMARY = 0xFF
"""An extended result code has its primary code in the lowest byte."""


def _codes(exc: BaseException) -> Iterator[int]:
    code = getattr(exc, "sqlite_errorcode", None)
    if isinstance(code, int):
        yield code
        yield code & _PRIMARY


SQLITE_CODES: dict[Code, Classification] = {
    # Somebody else has the lock. A statement that saw an old snapshot (BUSY_SNAPSHOT) fails for
    # ever in its transaction, so always the whole transaction is made again.
    sqlite3.SQLITE_BUSY: TRANSACTION,
    sqlite3.SQLITE_LOCKED: TRANSACTION,
    sqlite3.SQLITE_SCHEMA: TRANSACTION,
    # The file system or memory failed.
    sqlite3.SQLITE_NOMEM: REOPEN_ONCE,
    sqlite3.SQLITE_IOERR: REOPEN_ONCE,
    sqlite3.SQLITE_CANTOPEN: REOPEN_ONCE,
    sqlite3.SQLITE_PROTOCOL: REOPEN_ONCE,
    # What was not synced may be on the disk all the same.
    sqlite3.SQLITE_IOERR_FSYNC: LOST,
    sqlite3.SQLITE_IOERR_DIR_FSYNC: LOST,
    sqlite3.SQLITE_IOERR_COMMIT_ATOMIC: LOST,
    # The same will come of the same.
    sqlite3.SQLITE_ERROR: PERMANENT,
    sqlite3.SQLITE_INTERNAL: PERMANENT,
    sqlite3.SQLITE_PERM: PERMANENT,
    sqlite3.SQLITE_ABORT: PERMANENT,
    sqlite3.SQLITE_READONLY: PERMANENT,
    sqlite3.SQLITE_INTERRUPT: PERMANENT,
    sqlite3.SQLITE_CORRUPT: PERMANENT,
    sqlite3.SQLITE_NOTFOUND: PERMANENT,
    sqlite3.SQLITE_FULL: PERMANENT,
    sqlite3.SQLITE_EMPTY: PERMANENT,
    sqlite3.SQLITE_TOOBIG: PERMANENT,
    sqlite3.SQLITE_CONSTRAINT: PERMANENT,
    sqlite3.SQLITE_MISMATCH: PERMANENT,
    sqlite3.SQLITE_MISUSE: PERMANENT,
    sqlite3.SQLITE_NOLFS: PERMANENT,
    sqlite3.SQLITE_AUTH: PERMANENT,
    sqlite3.SQLITE_FORMAT: PERMANENT,
    sqlite3.SQLITE_RANGE: PERMANENT,
    sqlite3.SQLITE_NOTADB: PERMANENT,
}
"""Result codes; an extended one that is not listed means what its primary code does."""

RULES = (
    Rule("sqlite3.Error", PERMANENT, codes=Codes(_codes, SQLITE_CODES)),
    # Derived from Error, and told apart by the code.
    *(
        Rule(f"sqlite3.{name}", codes=Codes(_codes, SQLITE_CODES))
        for name in (
            "DatabaseError",
            "DataError",
            "IntegrityError",
            "InterfaceError",
            "InternalError",
            "NotSupportedError",
            "OperationalError",
            "ProgrammingError",
        )
    ),
    *permanent("sqlite3.Warning"),
)
