"""How a connection to SQLite is opened, set up and examined."""

import os
import sqlite3
from collections.abc import Callable, Mapping

from meshaccel.errors import DatabaseError
from meshaccel.pool.jobs import Mode

MEMORY = ":memory:"
Identity = tuple[int, int] | None

STATEMENT_CACHE = 256
"""Prepared statements kept per connection; preparing costs several times a point query."""

PRAGMAS: Mapping[str, str | int] = {
    # Readers see a snapshot while the writer writes, and neither waits for the other.
    "journal_mode": "WAL",
    # In WAL mode NORMAL loses nothing when the process dies, and at most the last commits
    # (never the integrity of the file) when the machine does; FULL waits for the disk each time.
    "synchronous": "NORMAL",
    # SQLite's default is to ignore them, for compatibility with 2009.
    "foreign_keys": "ON",
    # Sorts and temporary indexes that would spill into files on disk stay in memory.
    "temp_store": "MEMORY",
    # Pages come from the page cache without a copy; only address space is taken.
    "mmap_size": 268435456,
    # After a burst of writes or a long reader the log shrinks again at the next checkpoint.
    "journal_size_limit": 67108864,
}

_BUSY_SLICE_S = 0.02


class Connector:
    """Opens connections to one database, all alike.

    Args:
        path: a file name, ``:memory:``, or a ``file:`` URI.
        pragmas: override or add to ``PRAGMAS``; applied in order.
        busy_timeout: seconds to wait for another process's lock.
        on_connect: called with each new connection, to add functions, collations or a row
            factory.
        factory: the class of the connections, as in ``sqlite3.connect``.
    """

    def __init__(
        self,
        path: str,
        *,
        pragmas: Mapping[str, str | int] | None = None,
        busy_timeout: float = 5.0,
        on_connect: Callable[[sqlite3.Connection], object] | None = None,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self.path = path
        self.busy_timeout = busy_timeout
        self._pragmas = {**PRAGMAS, **(pragmas or {})}
        self._on_connect = on_connect
        self._factory = factory
        self._opened = False
        self._switches = {
            mode: (
                f"PRAGMA query_only = {'ON' if mode is Mode.READ else 'OFF'}",
                f"PRAGMA busy_timeout = {self._wait_ms(mode)}",
            )
            for mode in Mode
        }

    @property
    def _is_file(self) -> bool:
        return self.path != MEMORY and not self.path.startswith("file:")

    @property
    def in_memory(self) -> bool:
        """Whether a second connection would see a database of its own."""
        return self.path == MEMORY or (
            self.path.startswith("file:") and (MEMORY in self.path or "mode=memory" in self.path)
        )

    def connect(self) -> sqlite3.Connection:
        """Open a connection; the first may create the file, later ones find it.

        Raises:
            DatabaseError: it cannot be opened, is no database, or has vanished since.
        """
        if not self.path:
            # SQLite would open a temporary database, another one for each connection.
            raise DatabaseError("cannot open '': the path is empty")
        if self._opened and self.in_memory:
            raise DatabaseError("the database in memory is gone: its connection was closed")
        try:
            raw = self._connect()
        except (sqlite3.Error, ValueError) as error:
            raise DatabaseError(f"cannot open {self.path!r}: {error}") from error
        self._opened = True
        return raw

    def healthy(self, raw: sqlite3.Connection, identity: Identity) -> bool:
        """Whether the connection can read, and reads the file that the path now names."""
        try:
            raw.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error:
            return False
        return self.identify() == identity

    def identify(self) -> Identity:
        """Return what tells the file that the path names from one put in its place."""
        if not self._is_file:
            return None
        try:
            found = os.stat(self.path)  # noqa: PTH116 - str path
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def switch(self, raw: sqlite3.Connection, mode: Mode) -> None:
        """Set the connection up for a use."""
        for pragma in self._switches[mode]:
            raw.execute(pragma)

    def _wait_ms(self, mode: Mode) -> int:
        # SQLite's own waiting cannot be interrupted, and the longer one waited the more rarely
        # it looks. The writer, which waits most, waits in short slices of its own.
        wait = min(self.busy_timeout, _BUSY_SLICE_S) if mode is Mode.WRITE else self.busy_timeout
        return int(wait * 1000)

    def _connect(self) -> sqlite3.Connection:
        if self._opened and self.identify() is None and self._is_file:
            # SQLite would silently create an empty database in its place.
            raise sqlite3.OperationalError("the file was removed while it was open")
        raw = sqlite3.connect(
            self.path,
            # Transactions are ours alone: BEGIN is never implied.
            isolation_level=None,
            timeout=self.busy_timeout,
            factory=self._factory,
            cached_statements=STATEMENT_CACHE,
            uri=self.path.startswith("file:"),
        )
        try:
            # Before anything is written to what may be no database.
            raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            for name, value in self._pragmas.items():
                self._set(raw, name, value)
            if self._on_connect is not None:
                self._on_connect(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def _set(self, raw: sqlite3.Connection, name: str, value: str | int) -> None:
        try:
            raw.execute(f"PRAGMA {name} = {value}")
        except sqlite3.OperationalError as error:
            # A file that may only be read keeps the journal it has.
            if error.sqlite_errorcode & 0xFF not in {
                sqlite3.SQLITE_READONLY,
                sqlite3.SQLITE_CANTOPEN,
            }:
                raise
