"""A Postgres connection in the hands of one user."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Protocol, TypeVar

import asyncpg

from meshaccel.errors import PoolClosedError
from meshaccel.pool.connection import Use
from meshaccel.pool.jobs import Executed, Parameters, Row, Statement, only_reads
from meshaccel.pool.settings import Settings
from meshaccel.pool.stats import Counters

T = TypeVar("T")
Work = Callable[["asyncpg.Connection[Any]"], Awaitable[T]]

_RETURNS = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_COUNT = re.compile(r"(\d+)$")


class Lender(Protocol):
    """The pool, as far as its connections know it."""

    settings: Settings
    counters: Counters

    async def lend(self, timeout: float) -> Any:  # noqa: ASYNC109 - asyncpg's own
        """Acquire a connection from asyncpg's pool."""

    async def take_back(self, connection: Any, since: float) -> None:
        """Release it."""


class PostgresConnection:
    """A Postgres connection that is yours until you give it back."""

    def __init__(self, pool: Lender, raw: Any) -> None:
        self.raw = raw
        self._pool = pool
        self._since = pool.settings.clock()
        self._releasing: asyncio.Task[None] | None = None

    async def run(self, work: Work[T]) -> T:
        """Return ``await work(connection)``."""
        if self.raw is None:
            raise PoolClosedError("this connection was given back")
        self._pool.counters.hops += 1
        return await work(self.raw)

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query."""
        return await self.run(lambda raw: raw.fetch(sql, *parameters))

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        return await self.run(lambda raw: raw.fetchrow(sql, *parameters))

    async def execute(self, sql: str, parameters: Parameters = ()) -> Executed:
        """Execute one statement; ``lastrowid`` is always None."""
        if _RETURNS.search(sql) or only_reads([sql]):
            rows = await self.fetch_all(sql, parameters)
            return Executed(len(rows), None, rows)
        status = await self.run(lambda raw: raw.execute(sql, *parameters))
        counted = _COUNT.search(status)
        return Executed(int(counted[1]) if counted else -1, None, [])

    async def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Execute a statement once for each row: all or none; return how many rows there were."""
        kept = [tuple(row) for row in rows]
        await self.run(lambda raw: raw.executemany(sql, kept))
        return len(kept)

    async def batch(self, statements: Iterable[Statement]) -> list[Executed]:
        """Execute statements in one transaction: all or none."""
        pairs = [(one, ()) if isinstance(one, str) else one for one in statements]

        async def work(raw: Any) -> list[Executed]:
            async with raw.transaction():
                return [await self.execute(sql, parameters) for sql, parameters in pairs]

        return await self.run(work)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.raw is not None and bool(self.raw.is_in_transaction())

    async def give_back(self) -> None:
        """Give the connection back; an open transaction is rolled back."""
        raw, self.raw = self.raw, None
        if raw is not None:
            await self._pool.take_back(raw, self._since)

    def release(self) -> None:
        """Give the connection back, soon."""
        self._releasing = asyncio.ensure_future(self.give_back())


class PostgresAcquiring:
    """A connection to be: ``async with`` it, or ``await`` it and ``release()`` what you get."""

    def __init__(self, pool: Lender, timeout: float | None, use: Use) -> None:
        self._pool = pool
        self._timeout = pool.settings.acquire_timeout if timeout is None else timeout
        self._use = use
        self._transaction: Any = None

    def __await__(self) -> Generator[Any, None, PostgresConnection]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> PostgresConnection:
        self._connection = PostgresConnection(self._pool, await self._pool.lend(self._timeout))
        if self._use is not Use.ANYTHING:
            raw = self._connection.raw
            reading = self._use is Use.READING
            self._transaction = (
                raw.transaction(isolation="repeatable_read", readonly=True)
                if reading
                else raw.transaction()
            )
            try:
                await self._transaction.start()
            except BaseException:
                await self._connection.give_back()
                raise
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._transaction is not None and self._connection.raw is not None:
                if exc_type is None:
                    await self._transaction.commit()
                else:
                    await self._transaction.rollback()
        finally:
            await self._connection.give_back()
