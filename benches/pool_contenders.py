"""Ways to use SQLite from asyncio, behind one interface, for benches/pool.py.

Each contender reads by point query, writes by a single UPDATE in a transaction, and executes a
batch of eight point queries, in the way its documentation suggests.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import aiosqlite
import apsw
import apsw.aio
from aiosqlitepool import SQLiteConnectionPool
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from meshaccel.pool import ConnectionPool

SIZE = 5
READ = "SELECT id, name, endpoint, status, updated FROM agents WHERE id = ?"
WRITE = "UPDATE agents SET updated = updated + 1 WHERE id = ?"
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA busy_timeout = 10000",
)

Row = Sequence[Any] | None


class Contender(Protocol):
    """One way to do it."""

    async def read(self, key: int) -> Row:
        """Return the row with this key."""

    async def write(self, key: int) -> None:
        """Change the row with this key, durably."""

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """Return several rows, by one statement each."""


Make = Callable[[str], AbstractAsyncContextManager[Contender]]


async def _connect(path: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        await connection.execute_fetchall(pragma)
    return connection


class OnAiosqlite:
    """Contenders that hand out aiosqlite connections; the statements are the same."""

    def __init__(self, lend: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._lend = lend

    async def read(self, key: int) -> Row:
        """Three trips to the thread: execute, fetch, close."""
        async with self._lend() as connection:
            return await _read(connection, key)

    async def write(self, key: int) -> None:
        """In autocommit, a transaction of its own."""
        async with self._lend() as connection, connection.execute(WRITE, (key,)):
            pass

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """Three trips for each statement."""
        async with self._lend() as connection:
            return [await _read(connection, key) for key in keys]


async def _read(connection: aiosqlite.Connection, key: int) -> Row:
    async with connection.execute(READ, (key,)) as cursor:
        row: Row = await cursor.fetchone()
        return row


@asynccontextmanager
async def open_per_request(path: str) -> AsyncIterator[Contender]:
    """A connection for each request."""

    @asynccontextmanager
    async def lend() -> AsyncIterator[aiosqlite.Connection]:
        connection = await _connect(path)
        try:
            yield connection
        finally:
            await connection.close()

    yield OnAiosqlite(lend)


@asynccontextmanager
async def list_pool(path: str) -> AsyncIterator[Contender]:
    """Upstream's way: a list behind a lock, opened without bound, ``SIZE`` of them kept."""
    kept: list[aiosqlite.Connection] = []
    lock = asyncio.Lock()

    @asynccontextmanager
    async def lend() -> AsyncIterator[aiosqlite.Connection]:
        async with lock:
            connection = kept.pop() if kept else None
        connection = connection or await _connect(path)
        try:
            yield connection
        finally:
            async with lock:
                keep = len(kept) < SIZE
                if keep:
                    kept.append(connection)
            if not keep:
                await connection.close()

    yield OnAiosqlite(lend)
    for connection in kept:
        await connection.close()


@asynccontextmanager
async def queue_pool(path: str) -> AsyncIterator[Contender]:
    """The brief's way: an asyncio.Queue of connections."""
    queue: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
    for _ in range(SIZE):
        queue.put_nowait(await _connect(path))

    @asynccontextmanager
    async def lend() -> AsyncIterator[aiosqlite.Connection]:
        connection = await queue.get()
        try:
            yield connection
        finally:
            queue.put_nowait(connection)

    yield OnAiosqlite(lend)
    while not queue.empty():
        await queue.get_nowait().close()


@asynccontextmanager
async def aiosqlitepool(path: str) -> AsyncIterator[Contender]:
    """The package of that name."""
    pool = SQLiteConnectionPool(lambda: _connect(path), pool_size=SIZE)
    yield OnAiosqlite(pool.connection)
    await pool.close()


class OnSqlalchemy:
    """SQLAlchemy's asyncio engine, with SQL as text."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    async def read(self, key: int) -> Row:
        """Through the driver's cursor."""
        async with self._engine.connect() as connection:
            result = await connection.exec_driver_sql(READ, (key,))
            row: Row = result.fetchone()
            return row

    async def write(self, key: int) -> None:
        """In a transaction."""
        async with self._engine.begin() as connection:
            await connection.exec_driver_sql(WRITE, (key,))

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """Statement by statement."""
        async with self._engine.connect() as connection:
            return [(await connection.exec_driver_sql(READ, (key,))).fetchone() for key in keys]


@asynccontextmanager
async def sqlalchemy(path: str) -> AsyncIterator[Contender]:
    """SQLAlchemy with its default pool for SQLite files."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", pool_size=SIZE, max_overflow=0, pool_timeout=60
    )

    def set_up(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", set_up)
    yield OnSqlalchemy(engine)
    await engine.dispose()


class OnApsw:
    """One connection of apsw's asyncio interface."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def read(self, key: int) -> Row:
        """One trip for the statement, one for its rows."""
        cursor = await self._connection.execute(READ, (key,))
        # All of them: an unfinished query would keep its snapshot, and the next write fail.
        (row,) = await cursor.fetchall()
        return row  # type: ignore[no-any-return]

    async def write(self, key: int) -> None:
        """In autocommit."""
        await self._connection.execute(WRITE, (key,))

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """Statement by statement."""
        return [await self.read(key) for key in keys]


@asynccontextmanager
async def apsw_aio(path: str) -> AsyncIterator[Contender]:
    """Apsw's asyncio interface has no pool: one connection for all."""
    connection = await apsw.Connection.as_async(path)
    for pragma in PRAGMAS:
        await connection.execute(pragma)
    yield OnApsw(connection)
    await connection.aclose()


class Ours:
    """Our pool, with its one-trip methods."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    async def read(self, key: int) -> Row:
        """One trip."""
        row: Row = await self._pool.fetch_one(READ, (key,))
        return row

    async def write(self, key: int) -> None:
        """One trip, in the transaction of its group."""
        await self._pool.execute(WRITE, (key,))

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """One trip for all."""

        def work(connection: sqlite3.Connection) -> list[Row]:
            return [connection.execute(READ, (key,)).fetchone() for key in keys]

        return await self._pool.run_read(work)


class OursAcquired(Ours):
    """Our pool, with a connection acquired for each request."""

    async def read(self, key: int) -> Row:
        """One trip."""
        async with self._pool.acquire() as connection:
            row: Row = await connection.fetch_one(READ, (key,))
            return row

    async def write(self, key: int) -> None:
        """One trip for the statement, one to commit."""
        async with self._pool.write() as connection:
            await connection.execute(WRITE, (key,))

    async def batch(self, keys: Sequence[int]) -> Sequence[Row]:
        """One trip."""
        async with self._pool.acquire() as connection:
            return [done.rows[0] for done in await connection.batch([(READ, (k,)) for k in keys])]


@asynccontextmanager
async def ours(path: str) -> AsyncIterator[Contender]:
    """ConnectionPool, single reads and writes."""
    async with ConnectionPool(path, SIZE, acquire_timeout=60.0) as pool:
        yield Ours(pool)


@asynccontextmanager
async def ours_acquired(path: str) -> AsyncIterator[Contender]:
    """ConnectionPool, acquire() and write()."""
    async with ConnectionPool(path, SIZE, acquire_timeout=60.0) as pool:
        yield OursAcquired(pool)


CONTENDERS: dict[str, Make] = {
    "open per request": open_per_request,
    "list pool (upstream's)": list_pool,
    "asyncio.Queue": queue_pool,
    "aiosqlitepool": aiosqlitepool,
    "SQLAlchemy async": sqlalchemy,
    "apsw.aio, one connection": apsw_aio,
    "ConnectionPool, acquire": ours_acquired,
    "ConnectionPool": ours,
}
