"""The embedded database: one writer, two readers, transactions as functions."""

import sqlite3
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from meshaccel.db.claim import claim
from meshaccel.db.connection import Connection
from meshaccel.db.migrations import migrate, refuse_foreign
from meshaccel.errors import DatabaseError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MEMORY = ":memory:"


class Database:
    """A SQLite file. Writes are serial, in order of arrival; reads see one snapshot each.

    Every ``sqlite3.Error`` becomes a ``DatabaseError`` with the driver's error as its cause.
    """

    def __init__(
        self,
        writer: Connection,
        reader: Connection,
        long_reader: Connection,
        claimed: sqlite3.Connection | None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._long_reader = long_reader
        self._claimed = claimed

    @classmethod
    async def open(cls, path: str) -> Self:
        """Open the file, creating or migrating it as needed.

        Raises:
            IncompatibleDatabaseError: the file is another program's, or of a newer version.
            DatabaseInUseError: it is open already, here or in another process.
            DatabaseError: it cannot be opened.
        """
        if not path:
            # SQLite would open a temporary database, another one for each connection.
            raise DatabaseError("cannot open '': the path is empty")
        claimed: sqlite3.Connection | None = None
        try:
            writer = await Connection.open(path, check=refuse_foreign)
        except (sqlite3.Error, ValueError) as error:
            raise DatabaseError(f"cannot open {path!r}: {error}") from error
        try:
            claimed = None if path == MEMORY else claim(path)
            await writer.run(migrate)
            # A second connection to ":memory:" would see a database of its own.
            reader = long_reader = writer
            if path != MEMORY:
                reader = await Connection.open(path, query_only=True)
                long_reader = await Connection.open(path, query_only=True)
        except sqlite3.Error as error:
            await _close(writer, claimed)
            raise DatabaseError(f"cannot prepare {path}: {error}") from error
        except BaseException:
            await _close(writer, claimed)
            raise
        return cls(writer, reader, long_reader, claimed)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in one read transaction: all its statements see the same revision."""
        return await _translated(self._reader, _transaction("BEGIN", work))

    async def read_long(self, work: Work[T]) -> T:
        """Read like ``read``, without letting the short reads wait: for what grows with the fleet.

        A heartbeat that has to look something up does not stand behind a listing.
        """
        return await _translated(self._long_reader, _transaction("BEGIN", work))

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one write transaction, committed when this returns.

        Cancelling the caller does not stop a write that is queued: it may commit all the same.
        """
        return await _translated(self._writer, _transaction("BEGIN IMMEDIATE", work))

    async def close(self) -> None:
        """Finish what is queued, then close."""
        await self._reader.close()
        await self._long_reader.close()
        await _close(self._writer, self._claimed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def _close(writer: Connection, claimed: sqlite3.Connection | None) -> None:
    await writer.close()
    if claimed is not None:
        claimed.close()


def _transaction(begin: str, work: Work[T]) -> Work[T]:
    def run(conn: sqlite3.Connection) -> T:
        conn.execute(begin)
        try:
            result = work(conn)
            conn.execute("COMMIT")
        except BaseException:
            # Some errors (a full disk) end the transaction by themselves.
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
        return result

    return run


async def _translated(connection: Connection, work: Work[T]) -> T:
    try:
        return await connection.run(work)
    except sqlite3.Error as error:
        raise DatabaseError(f"{type(error).__name__}: {error}") from error
