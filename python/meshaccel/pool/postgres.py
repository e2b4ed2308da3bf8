"""The pool over a Postgres database: asyncpg's own, behind the methods of ours."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    PoolClosedError,
    PoolMisuseError,
)
from meshaccel.pool import process
from meshaccel.pool.connection import Use
from meshaccel.pool.jobs import Executed, Parameters, Row, Statement
from meshaccel.pool.leaks import Holder, note_holder, report_leaks
from meshaccel.pool.postgres_connection import PostgresAcquiring, Work
from meshaccel.pool.settings import Settings
from meshaccel.pool.stats import Counters, PoolStats

T = TypeVar("T")


class PostgresPool:
    """What ``ConnectionPool`` does when the database is Postgres.

    Growing, shrinking, handing over and cancelling are asyncpg's. Placeholders are ``$1``, rows
    are ``asyncpg.Record``, and the work that ``run`` takes is a coroutine function. There is no
    writer's queue: the server lets writers write side by side.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.holders: dict[int, Holder] = {}
        self.waiting = 0
        self.cancelled = 0
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._generation = process.generation()
        self._closed = False
        self._pool: Any = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open the first connections."""
        settings = self.settings
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=settings.min_connections,
                max_size=settings.max_connections,
                max_inactive_connection_lifetime=settings.idle_timeout,
                timeout=settings.acquire_timeout,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            self._closed = True
            raise DatabaseError(f"cannot open the Postgres database: {error}") from error
        if settings.leak_after is not None:
            self._sweep()

    def acquire(self, timeout: float | None) -> PostgresAcquiring:
        """Lend a connection for anything."""
        return PostgresAcquiring(self, timeout, Use.ANYTHING)

    def read(self, timeout: float | None) -> PostgresAcquiring:
        """Lend a connection for one snapshot."""
        return PostgresAcquiring(self, timeout, Use.READING)

    def write(self, timeout: float | None) -> PostgresAcquiring:
        """Lend a connection for one transaction."""
        return PostgresAcquiring(self, timeout, Use.WRITING)

    async def run_read(self, work: Work[T]) -> T:
        """Run ``await work(connection)`` on one snapshot."""
        async with self.read(None) as connection:
            return await connection.run(work)

    async def run_write(self, work: Work[T], *, repeatable: bool) -> T:  # noqa: ARG002 - none is run again
        """Run ``await work(connection)`` in one transaction."""
        async with self.write(None) as connection:
            return await connection.run(work)

    async def fetch_all(self, sql: str, parameters: Parameters) -> list[Row]:
        """Return all rows of a query."""
        async with self.acquire(None) as connection:
            return await connection.fetch_all(sql, parameters)

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """Return the first row of a query, or None."""
        async with self.acquire(None) as connection:
            return await connection.fetch_one(sql, parameters)

    async def execute(self, sql: str, parameters: Parameters) -> Executed:
        """Execute one statement."""
        async with self.acquire(None) as connection:
            return await connection.execute(sql, parameters)

    async def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Execute one statement for each row."""
        async with self.acquire(None) as connection:
            return await connection.execute_many(sql, rows)

    async def batch(self, statements: Iterable[Statement]) -> list[Executed]:
        """Execute statements in one transaction."""
        async with self.acquire(None) as connection:
            return await connection.batch(statements)

    async def lend(self, timeout: float) -> Any:  # noqa: ASYNC109 - asyncpg's own
        """Acquire a connection from asyncpg's pool."""
        self._check()
        if self.waiting >= self.settings.max_waiting:
            self.counters.rejected += 1
            raise self._exhausted(f"{self.waiting} are waiting already")
        clock = self.settings.clock
        asked = clock()
        self.waiting += 1
        try:
            connection = await self._pool.acquire(timeout=timeout)
        except TimeoutError:
            self.counters.timeouts += 1
            raise self._exhausted(f"no connection within {timeout:g} s") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except asyncpg.InterfaceError as error:
            raise PoolClosedError(str(error)) from error
        except (OSError, asyncpg.PostgresError) as error:
            raise DatabaseError(f"cannot connect to Postgres: {error}") from error
        finally:
            self.waiting -= 1
        self.counters.wait.observe(clock() - asked)
        if self.settings.leak_after is not None:
            self.holders[id(connection)] = note_holder(clock())
        return connection

    async def take_back(self, connection: Any, since: float) -> None:
        """Release a connection; asyncpg resets it, and shields that from cancellation."""
        self.counters.use.observe(self.settings.clock() - since)
        self.holders.pop(id(connection), None)
        await self._pool.release(connection)

    def stats(self) -> PoolStats:
        """Return a snapshot of what the pool has and did."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        wait = self.counters.wait.snapshot()
        return PoolStats(
            size=size,
            idle=idle,
            in_use=size - idle,
            opening=0,
            max_connections=self.settings.max_connections,
            waiting=self.waiting,
            write_waiting=0,
            acquires=wait.count,
            hops=self.counters.hops,
            timeouts=self.counters.timeouts,
            rejected=self.counters.rejected,
            cancelled=self.cancelled,
            leaks=self.counters.leaks,
            wait=wait,
            use=self.counters.use.snapshot(),
        )

    def refuse(self) -> None:
        """Let nobody new in."""
        self._closed = True

    async def close(self, within: float) -> None:
        """Wait for the users, until the deadline; then close, whoever is left."""
        self.refuse()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(within):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def abandon(self) -> None:
        """Drop the connections of a pool that nobody can use any more; from any thread."""
        self._closed = True
        if self._pool is not None:
            with suppress(RuntimeError):  # the loop is closed, and with it the connections
                self._loop.call_soon_threadsafe(self._pool.terminate)

    def _check(self) -> None:
        if self._generation != process.generation():
            raise PoolMisuseError("this pool was opened before the process forked")
        if self._closed:
            raise PoolClosedError("the pool is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise PoolMisuseError("this pool was opened in another event loop")

    def _exhausted(self, what: str) -> ConnectionPoolExhausted:
        now = self.settings.clock()
        holders = tuple(holder.describe(now) for holder in self.holders.values())
        used = self._pool.get_size() - self._pool.get_idle_size()
        return ConnectionPoolExhausted(
            f"{what}: {used} of {self.settings.max_connections} are in use,"
            f" {self.waiting} more wait",
            holders,
        )

    def _sweep(self) -> None:
        after = self.settings.leak_after or float("inf")
        now = self.settings.clock()
        self.counters.leaks += report_leaks(self.holders.values(), now, after)
        self._sweeper = self._loop.call_later(self.settings.sweep_interval, self._sweep)
