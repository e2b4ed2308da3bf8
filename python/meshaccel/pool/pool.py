"""The pool, as its users see it."""

import asyncio
import os
import random as random_module
import re
import sqlite3
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from meshaccel.errors import PoolClosedError
from meshaccel.pool import process
from meshaccel.pool.backend import Backend
from meshaccel.pool.connection import Acquiring
from meshaccel.pool.connector import Connector
from meshaccel.pool.jobs import Executed, Parameters, Row, Statement, Work
from meshaccel.pool.settings import Settings
from meshaccel.pool.sqlite import SqlitePool
from meshaccel.pool.stats import PoolStats

T = TypeVar("T")


class ConnectionPool:
    """A pool of connections to a SQLite database, for asyncio.

    ::

        async with ConnectionPool("app.db") as pool:
            await pool.execute("INSERT INTO t VALUES (?)", (1,))
            rows = await pool.fetch_all("SELECT x FROM t")
            async with pool.acquire(timeout=5.0) as conn:
                ...

    Reads run side by side, each on a snapshot; writes one after the other, in order of arrival,
    on a connection of their own. Small writes that queue up share a transaction, and if one of
    them fails, only that one.

    Args:
        database: a file name, ``:memory:``, a ``file:`` URI, ``sqlite:///path``, or a
            ``postgresql://`` URL.
        max_connections: how many connections may ever be open at once, the writer's included. A
            database in memory has one, which serves reads and writes in turn.
        min_connections: how many are kept open when idle.
        max_waiting: how many may wait for a connection, and as many for the writer.
        acquire_timeout: seconds to wait for a connection, where no timeout is given.
        idle_timeout: seconds after which an idle connection is closed.
        max_lifetime: seconds after which a connection is replaced; up to a tenth less, at
            random, so that not all are replaced at once.
        check_after: seconds of idleness after which a connection is examined before it is used.
        leak_after: seconds after which a connection that is still in use is logged, with the
            stack that acquired it; None notes no stacks, which cost microseconds each.
        busy_timeout: seconds to wait for another process's lock.
        pragmas: settings of SQLite to add or override; ``connector.PRAGMAS`` has the defaults
            (WAL, synchronous NORMAL, foreign keys, ...) and why they are what they are.
        on_connect: called with each new ``sqlite3.Connection``, in its thread.
        factory: the class of the connections, as in ``sqlite3.connect``.
        clock: seconds from an arbitrary start, never going back.
        random: numbers from 0 to 1.

    Over Postgres ``asyncpg``'s pool does the work (install the extra ``postgres``), behind the
    same methods: rows are its records, placeholders are ``$1``, and the functions that ``run``,
    ``run_read`` and ``run_write`` take are coroutine functions of its connection. Options that
    are SQLite's have no effect.
    """

    def __init__(  # noqa: PLR0913 - options, all with a default
        self,
        database: str | os.PathLike[str],
        max_connections: int = 20,
        *,
        min_connections: int = 1,
        max_waiting: int = 10_000,
        acquire_timeout: float = 5.0,
        idle_timeout: float = 300.0,
        max_lifetime: float = 3600.0,
        check_after: float = 0.5,
        leak_after: float | None = None,
        busy_timeout: float = 5.0,
        pragmas: Mapping[str, str | int] | None = None,
        on_connect: Callable[[sqlite3.Connection], object] | None = None,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.database = os.fspath(database)
        """What the pool was made for."""
        path = self.database.removeprefix("sqlite:///")
        self._is_postgres = path.startswith(("postgresql://", "postgres://"))
        self._connector = Connector(
            path,
            pragmas=pragmas,
            busy_timeout=busy_timeout,
            on_connect=on_connect,
            factory=factory,
        )
        only_one = self._connector.in_memory
        self._settings = Settings(
            max_connections=1 if only_one else max_connections,
            min_connections=1 if only_one else min_connections,
            max_waiting=max_waiting,
            acquire_timeout=acquire_timeout,
            # With its last connection a database in memory would vanish.
            idle_timeout=float("inf") if only_one else idle_timeout,
            max_lifetime=float("inf") if only_one else max_lifetime,
            check_after=float("inf") if only_one else check_after,
            leak_after=leak_after,
            clock=clock,
            random=random,
        )
        self._backend: Backend | None = None
        self._closing: asyncio.Future[None] | None = None
        self._generation = process.generation()

    async def open(self) -> None:
        """Open the first connection; the others follow when they are needed.

        Raises:
            DatabaseError: the database cannot be opened.
            PoolClosedError: the pool was open before.
        """
        if self._backend is not None:
            raise PoolClosedError("a pool is opened once")
        self._backend = backend = self._make_backend()
        try:
            await backend.open()
        except BaseException:
            self._closing = asyncio.get_running_loop().create_future()
            self._closing.set_result(None)
            raise

    def acquire(self, timeout: float | None = None) -> Acquiring:
        """Lend a connection that may do anything, on which you begin and end transactions.

        ``async with`` gives it back, whatever happens; ``await`` leaves ``release()`` to you.
        Prefer ``write`` for writing: here a write waits for other writers by polling.

        Args:
            timeout: seconds to wait for a connection.

        Raises:
            ConnectionPoolExhausted: none within ``timeout``, or too many wait already.
            PoolClosedError: the pool is not open.
            PoolMisuseError: this is another event loop, or a forked process.
        """
        return self._opened().acquire(self._timeout(timeout))

    def read(self, timeout: float | None = None) -> Acquiring:
        """Lend a connection on which all statements see the same snapshot, and none can write.

        Raises as ``acquire`` does.
        """
        return self._opened().read(self._timeout(timeout))

    def write(self, timeout: float | None = None) -> Acquiring:
        """Lend the writer's connection for one transaction.

        Its first statement begins it with ``BEGIN IMMEDIATE``; leaving the block commits it, and
        leaving by an exception rolls it back. An error that ends the whole transaction (a full
        disk, or the interrupt of a cancelled statement) may be caught, but dooms the block: what
        follows raises ``DatabaseError``. Raises as ``acquire`` does.
        """
        return self._opened().write(self._timeout(timeout))

    def run_read(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        """Run ``work(connection)`` in one read transaction and one round trip.

        Raises as ``acquire`` does, and what ``work`` raises.
        """
        return self._opened().run_read(work)

    def run_write(self, work: Work[T], *, repeatable: bool = False) -> Coroutine[Any, Any, T]:
        """Run ``work(connection)`` in one write transaction and one round trip.

        It is committed when this returns, and rolled back when ``work`` raises. Cancelled before
        its turn, nothing is written; afterwards it is interrupted, and may have been committed.
        Raises as ``acquire`` does, and what ``work`` raises.

        Args:
            work: what to run.
            repeatable: ``work`` does nothing but run statements and return what they found. It
                may then share its transaction with other writes that wait, in a savepoint of its
                own, and is run again if that transaction is lost.
        """
        return self._opened().run_write(work, repeatable=repeatable)

    def fetch_all(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, list[Row]]:
        """Return all rows of a query, which may not write. Raises as ``acquire`` and SQLite do."""
        return self._opened().fetch_all(sql, parameters)

    def fetch_one(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, Row | None]:
        """Return the first row of a query, or None. Raises as ``fetch_all`` does."""
        return self._opened().fetch_one(sql, parameters)

    def execute(self, sql: str, parameters: Parameters = ()) -> Coroutine[Any, Any, Executed]:
        """Write with one statement, committed when this returns.

        It may share its transaction with other writes that wait, in a savepoint of its own. Raises
        as ``acquire`` does, and ``sqlite3.Error``; then nothing of it was kept.
        """
        return self._opened().execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> Coroutine[Any, Any, int]:
        """Execute a statement once for each row: all or none. Return how many rows changed."""
        return self._opened().execute_many(sql, rows)

    def batch(self, statements: Iterable[Statement]) -> Coroutine[Any, Any, list[Executed]]:
        """Execute statements in one transaction and one round trip: all or none.

        A statement is SQL, or a pair of SQL and parameters. If all are SELECTs they are executed
        beside the writer, on one snapshot. Raises as ``execute`` does.
        """
        return self._opened().batch(statements)

    def stats(self) -> PoolStats:
        """Return how many connections there are, and what the pool did since it was opened.

        Raises:
            PoolClosedError: it was never opened.
        """
        return self._opened().stats()

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - it ends no wait early
        """Close the pool: nobody new is let in, those who wait are served, then all is closed.

        After ``timeout`` seconds whoever still waits is sent away, whoever still has a connection
        loses it, and running statements are interrupted. Closing twice is fine.
        """
        if self._backend is None:
            return
        if self._closing is None:
            self._backend.refuse()
            self._closing = asyncio.ensure_future(self._backend.close(timeout))
        # One caller's cancellation is no reason to leave the pool half closed.
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        backend: Backend | None = getattr(self, "_backend", None)
        if backend is None or self._closing is not None:
            return
        if self._generation != process.generation():
            return  # the connections are the parent's
        warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)
        backend.abandon()

    def __repr__(self) -> str:
        # Of a URL, without the password.
        shown = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", self.database)
        return f"<ConnectionPool {shown!r}>"

    def _opened(self) -> Backend:
        if self._backend is None:
            raise PoolClosedError("the pool is not open: async with it, or await pool.open()")
        return self._backend

    def _make_backend(self) -> Backend:
        if not self._is_postgres:
            return SqlitePool(self._connector, self._settings)
        # asyncpg is an optional dependency.
        from meshaccel.pool.postgres import PostgresPool  # noqa: PLC0415

        pool: Any = PostgresPool(self.database, self._settings)
        backend: Backend = pool
        return backend

    def _timeout(self, timeout: float | None) -> float:
        return self._settings.acquire_timeout if timeout is None else timeout
