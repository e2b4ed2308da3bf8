"""A connection in the hands of one user."""

import asyncio
import sqlite3
import warnings
from collections.abc import Coroutine, Generator, Iterable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from meshaccel.errors import DatabaseError, PoolClosedError
from meshaccel.pool.connections import Connections
from meshaccel.pool.groups import patiently
from meshaccel.pool.jobs import (
    Executed,
    Job,
    Mode,
    Parameters,
    Row,
    Statement,
    Work,
    chase,
    executing,
    executing_each,
    executing_many,
    fetching_all,
    fetching_one,
    in_transaction,
    only_reads,
)
from meshaccel.pool.leaks import note_holder
from meshaccel.pool.slot import Keeper, Slot

if TYPE_CHECKING:
    import aiosqlite

T = TypeVar("T")


class Use(Enum):
    """What a connection was acquired for."""

    ANYTHING = Mode.ANY
    READING = Mode.READ
    WRITING = Mode.WRITE


class Connection:
    """A SQLite connection that is yours until you give it back.

    Each method is one round trip to the connection's thread, however many statements it
    executes: a round trip costs several times what a point query does. ``run`` takes whole
    functions. Statements are executed in autocommit unless you ``BEGIN``; inside
    ``pool.read()`` and ``pool.write()`` the first one begins the transaction.

    A task that is cancelled while it waits for a statement leaves at once; the statement is
    interrupted, and the connection goes to nobody else before SQLite has let go of it.
    """

    __slots__ = ("__weakref__", "_connections", "_keeper", "_since", "_slot", "_use")

    def __init__(self, connections: Connections, keeper: Keeper, slot: Slot, use: Use) -> None:
        self._connections = connections
        self._keeper = keeper
        self._slot: Slot | None = slot
        self._use = use
        self._since = connections.settings.clock()
        slot.managed = use is not Use.ANYTHING
        slot.lost = False
        if connections.settings.leak_after is not None:
            connections.holders[slot] = note_holder(self._since)

    async def run(self, work: Work[T]) -> T:
        """Run ``work(connection)`` in the connection's thread and return what it returns.

        Raises:
            PoolClosedError: the connection was given back, or the pool closed.
            PoolMisuseError: this is another event loop, or a forked process.
            DatabaseError: an error took the transaction of ``read()`` or ``write()`` with it.
        """
        slot = self._in_hand()
        # Before anything is written whose outcome nobody could be told.
        self._connections.check_place()
        job = Job(self._connections.loop.create_future(), work, self._use.value, slot)
        if self._use is not Use.ANYTHING:
            job.work = self._transacted(job, slot, work)
        slot.pending += 1
        slot.worker.submit(job)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            chase(self._connections.loop, job)
            raise
        return result

    def fetch_all(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, list[Row]]:
        """Return all rows of a query."""
        return self.run(fetching_all(sql, parameters))

    def fetch_one(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, Row | None]:
        """Return the first row of a query, or None."""
        return self.run(fetching_one(sql, parameters))

    def execute(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, Executed]:
        """Execute one statement."""
        return self.run(executing(sql, parameters))

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> Coroutine[Any, Any, int]:
        """Execute a statement once for each row, in one transaction; return the rows changed."""
        return self.run(in_transaction("BEGIN IMMEDIATE", executing_many(sql, rows)))

    def batch(self, statements: Iterable[Statement]) -> Coroutine[Any, Any, list[Executed]]:
        """Execute statements in one transaction and one round trip: all of them or none.

        A statement is SQL, or a pair of SQL and parameters. Within a transaction that is open
        already it is a savepoint.
        """
        kept = list(statements)
        begin = "BEGIN" if only_reads(kept) else "BEGIN IMMEDIATE"
        return self.run(in_transaction(begin, executing_each(kept)))

    @property
    def is_held(self) -> bool:
        """Whether it has not been given back yet."""
        return self._slot is not None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._in_hand().worker.in_transaction)

    @property
    def aiosqlite(self) -> "aiosqlite.Connection":
        """This connection as an ``aiosqlite.Connection``, for code that expects one.

        It runs in the same thread and ends with this one; ``close`` does nothing. Its round
        trips are aiosqlite's: one for each call.
        """
        from meshaccel.pool.compat import PooledAiosqlite  # noqa: PLC0415 - only who wants it

        return PooledAiosqlite(self)

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection that ``run`` passes to its work; other threads may not execute on it.

        Raises:
            PoolClosedError: it was given back, or lost.
        """
        raw = self._in_hand().worker.raw
        if raw is None:
            raise PoolClosedError("the connection was lost")
        return raw

    def release(self) -> None:
        """Give the connection back. An open transaction is rolled back. Twice is fine."""
        slot, self._slot = self._slot, None
        if slot is not None:
            connections = self._connections
            connections.counters.use.observe(connections.settings.clock() - self._since)
            connections.holders.pop(slot, None)
            slot.release(self._keeper)

    async def commit(self) -> None:
        """Commit the transaction that is open, if any."""
        slot = self._in_hand()
        if slot.worker.in_transaction or slot.pending or slot.lost:
            await self.run(lambda conn: _commit(slot, conn))

    def _in_hand(self) -> Slot:
        slot = self._slot
        if slot is None:
            raise PoolClosedError("this connection was given back")
        if slot.worker.stopping:
            raise PoolClosedError("the pool was closed while this connection was in use")
        return slot

    def _transacted(self, job: Job, slot: Slot, work: Work[T]) -> Work[T]:
        """Begin the transaction of ``read()`` or ``write()`` in the same trip as its first work."""
        immediate = self._use is Use.WRITING

        def run(conn: sqlite3.Connection) -> T:
            if slot.lost:
                raise DatabaseError("the transaction was lost with a statement that failed before")
            if not conn.in_transaction:
                if immediate:
                    patiently(slot.worker, conn, "BEGIN IMMEDIATE", job.future.cancelled)
                else:
                    conn.execute("BEGIN")
            try:
                return work(conn)
            except BaseException:
                # A full disk or an interrupt undid what went before: the rest must not be
                # committed without it.
                slot.lost = not slot.worker.in_transaction
                raise

        return run

    def __del__(self) -> None:
        slot = self._slot
        if slot is None:
            return
        connections, keeper = self._connections, self._keeper
        warnings.warn(
            f"a connection of the pool over {connections.connector.path!r} was never given back",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        with suppress(RuntimeError):  # the loop is closed: nobody needs the connection
            connections.loop.call_soon_threadsafe(_reclaim, connections, keeper, slot)


def _commit(slot: Slot, conn: sqlite3.Connection) -> None:
    if conn.in_transaction:
        patiently(slot.worker, conn, "COMMIT")


def _reclaim(connections: Connections, keeper: Keeper, slot: Slot) -> None:
    connections.counters.leaks += 1
    connections.holders.pop(slot, None)
    slot.release(keeper)


class Acquiring:
    """A connection to be: ``async with`` it, or ``await`` it and ``release()`` what you get."""

    __slots__ = ("_connection", "_connections", "_keeper", "_timeout", "_use")

    def __init__(
        self, connections: Connections, keeper: Keeper, timeout: float | None, use: Use
    ) -> None:
        self._connections = connections
        self._keeper = keeper
        self._timeout = timeout
        self._use = use

    def __await__(self) -> Generator[Any, None, Connection]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Connection:
        connections = self._connections
        connections.check()
        slot = self._keeper.take()
        if slot is None:
            asked = connections.settings.clock()
            slot = await self._keeper.wait(self._timeout)
            connections.counters.wait.observe(connections.settings.clock() - asked)
        else:
            connections.counters.wait.at_once()
        self._connection = Connection(connections, self._keeper, slot, self._use)
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection = self._connection
        try:
            if exc_type is None and self._use is Use.WRITING and connection.is_held:
                await connection.commit()
        finally:
            connection.release()
