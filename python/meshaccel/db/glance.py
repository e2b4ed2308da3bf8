"""Reads of microseconds, made right in the event loop: has anything been committed by others?"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from meshaccel.db import leases, touched
from meshaccel.db.leases import StoredSession
from meshaccel.db.touched import Followed
from meshaccel.errors import DatabaseError, DatabaseReplacedError

T = TypeVar("T")


class Glance:
    """A connection of its own to a database file, that only reads and waits for no lock.

    Every method raises ``DatabaseError`` if the database cannot be read at once.
    """

    def __init__(self, path: str) -> None:
        """Open the file.

        Raises:
            sqlite3.Error: it cannot be opened.
        """
        self._path = Path(path).resolve()
        self._conn = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._identity = self._found()
        try:
            self._conn.execute("PRAGMA query_only = ON")
            # What takes long is done now: the schema is read, the index of the log is mapped.
            touched.last_seq(self._conn)
        except sqlite3.Error:
            self._conn.close()
            raise

    def last_seq(self) -> int:
        """Return the number of the last change. O(1), 5 microseconds."""
        return self._read(touched.last_seq)

    def since(self, seq: int, *, but: int) -> list[Followed] | None:
        """Return what other registries than ``but`` changed after a number, or None: too much."""
        return self._read(lambda conn: touched.since(conn, seq, but=but))

    def everything(self) -> tuple[int, list[StoredSession]]:
        """Return the number of the last change and all sessions, as of one snapshot. O(agents)."""

        def read(conn: sqlite3.Connection) -> tuple[int, list[StoredSession]]:
            conn.execute("BEGIN")
            with closing(conn.cursor()) as ending:
                try:
                    return touched.last_seq(conn), leases.sessions(conn)
                finally:
                    ending.execute("ROLLBACK")

        return self._read(read)

    def check_file(self) -> None:
        """See whether the path still leads to the file that was opened.

        Raises:
            DatabaseReplacedError: it does not.
        """
        if self._found() != self._identity:
            raise DatabaseReplacedError(
                f"{self._path} is not the file any more that was opened: restart the registry"
            )

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._conn)
        except sqlite3.Error as error:
            raise DatabaseError(f"{type(error).__name__}: {error}") from error

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
