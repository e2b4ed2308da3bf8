"""The embedded database: one writer, two readers, transactions as functions."""

import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
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
        opened: AsyncExitStack,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._long_reader = long_reader
        self._opened = opened

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
        async with AsyncExitStack() as opened:

            def check(conn: sqlite3.Connection) -> None:
                refuse_foreign(conn)
                # Before anything is written: the file may be another registry's.
                if path != MEMORY:
                    opened.callback(claim(path).close)

            try:
                writer = await Connection.open(path, check=check)
                opened.push_async_callback(writer.close)
                await writer.run(migrate)
                # A second connection to ":memory:" would see a database of its own.
                reader = long_reader = writer
                if path != MEMORY:
                    reader = await Connection.open(path, query_only=True)
                    opened.push_async_callback(reader.close)
                    long_reader = await Connection.open(path, query_only=True)
                    opened.push_async_callback(long_reader.close)
            except (sqlite3.Error, ValueError) as error:
                raise DatabaseError(f"cannot open {path!r}: {error}") from error
            return cls(writer, reader, long_reader, opened.pop_all())

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
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


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
