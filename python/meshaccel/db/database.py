"""The embedded database: transactions as functions, on a pool of connections."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from types import TracebackType
from typing import Self, TypeVar

from meshaccel.db import feed
from meshaccel.db.carrier import Carrier, read_history
from meshaccel.db.counting import CountedConnection, counted, operation
from meshaccel.db.glance import Glance
from meshaccel.db.migrations import migrate, refuse_foreign
from meshaccel.db.private import make_private
from meshaccel.db.recovery import READ, WRITE, database_errors
from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    PoolClosedError,
    ResilienceError,
)
from meshaccel.pool import ConnectionPool, PoolStats
from meshaccel.resilience.stats import OperationStats

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MEMORY = ":memory:"

MAX_CONNECTIONS = 8
"""One writes. Readers are opened as they are needed: most of the time two are enough, and a
look-up does not stand behind listings."""

MAX_WAIT_S = 30.0
"""Longer than agents wait for an answer: who is queued is served, or has given up."""

MAX_QUEUE = 100_000


class Database:
    """A SQLite file. Writes are serial, in order of arrival; reads see one snapshot each.

    Other processes may read and write it at the same time, and so may others here.

    Trouble that passes is waited for, see ``db/recovery.py``. Every other ``sqlite3.Error``, and
    whatever keeps the pool from serving, becomes a ``DatabaseError`` with the error as its cause.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        carrier: Carrier,
        glance: Glance | None,
        opened: AsyncExitStack,
    ) -> None:
        self._pool = pool
        self.carrier = carrier
        self.glance = glance
        """For a look at what others commit; None of a database that nobody else can open."""
        self._opened = opened
        self._errors = database_errors()
        self.statements: Counter[str] = Counter()
        """Statements of the reads and writes that succeeded, by what they were run for."""

    @classmethod
    async def open(cls, path: str) -> Self:
        """Open the file, creating or migrating it as needed.

        Raises:
            IncompatibleDatabaseError: the file is another program's, or of a newer version.
            DatabaseError: it cannot be opened.
        """
        if not path:
            # SQLite would open a temporary database, another one for each connection.
            raise DatabaseError("cannot open '': the path is empty")
        async with AsyncExitStack() as opened:
            try:
                if path != MEMORY:
                    # Before anything is written: the file may be another program's.
                    make_private(path)
                    await asyncio.to_thread(_refuse_foreign_file, path)
                pool = ConnectionPool(
                    path,
                    MAX_CONNECTIONS,
                    acquire_timeout=MAX_WAIT_S,
                    max_waiting=MAX_QUEUE,
                    # What is asked for often is in memory already; mapped, the file would count
                    # as resident once per connection.
                    pragmas={"mmap_size": 0, "cache_size": -8000},
                    factory=CountedConnection,
                )
                await opened.enter_async_context(pool)
                async with pool.acquire() as connection:
                    await connection.run(migrate)
                    await connection.run(feed.prepare)
                    beside = None if path == MEMORY else path
                    carrier = await connection.run(
                        lambda conn: Carrier.open(beside, lambda: read_history(conn))
                    )
                opened.enter_context(carrier)
                glance = None
                if path != MEMORY:
                    glance = opened.enter_context(await asyncio.to_thread(Glance, path))
            except (sqlite3.Error, ValueError) as error:
                raise DatabaseError(f"cannot open {path!r}: {error}") from error
            return cls(pool, carrier, glance, opened.pop_all())

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in one read transaction: all its statements see the same revision."""
        reading = self._errors.run(READ, self._pool.run_read, counted(work))
        return await self._outcome(reading)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a write transaction, committed when this returns.

        Writes that are queued share a transaction, each in a savepoint: one that fails is undone
        alone. If the transaction itself is lost, or trouble passes that let none begin or commit,
        ``work`` runs again, so it does nothing but run statements and return what they found.

        Cancelled before its turn, nothing is written; afterwards it is interrupted, and may have
        been committed.
        """
        writing = self._errors.run(WRITE, self._pool.run_write, counted(work), repeatable=True)
        return await self._outcome(writing)

    def stats(self) -> PoolStats:
        """Return what the pool did."""
        return self._pool.stats()

    def recovery(self) -> dict[str, OperationStats]:
        """Return what became of reads and writes that failed at first."""
        return self._errors.stats()

    async def close(self) -> None:
        """Finish what is queued, then close."""
        await self._opened.aclose()

    async def _outcome(self, awaited: Awaitable[tuple[T, int]]) -> T:
        try:
            result, statements = await awaited
        except (sqlite3.Error, ConnectionPoolExhausted, PoolClosedError, ResilienceError) as error:
            raise DatabaseError(f"{type(error).__name__}: {error}") from error
        self.statements[operation.get()] += statements
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _refuse_foreign_file(path: str) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_schema")
        refuse_foreign(conn)
