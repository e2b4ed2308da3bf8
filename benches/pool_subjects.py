"""Other pools as subjects of the fault checks in tests/pool/faults.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiosqlite
from aiosqlitepool import SQLiteConnectionPool
from sqlalchemy.ext.asyncio import create_async_engine


async def _connect(path: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    # Read to its end: an unfinished statement would keep the next connection out.
    await connection.execute_fetchall("PRAGMA journal_mode = WAL")
    return connection


async def _kill(connection: aiosqlite.Connection) -> None:
    await connection._execute(connection._conn.close)  # type: ignore[no-untyped-call]  # noqa: SLF001


class _OnAiosqlite:
    async def execute(self, connection: aiosqlite.Connection, sql: str) -> list[Any]:
        async with connection.execute(sql) as cursor:
            return list(await cursor.fetchall())

    async def killer(self, connection: aiosqlite.Connection) -> Callable[[], Awaitable[None]]:
        return lambda: _kill(connection)


class ListPool(_OnAiosqlite):
    """Upstream's way."""

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:  # noqa: ARG002
        self._path, self._size, self._lock = path, size, asyncio.Lock()
        self._kept: list[aiosqlite.Connection] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[aiosqlite.Connection]:
        async with self._lock:
            connection = self._kept.pop() if self._kept else None
        connection = connection or await _connect(self._path)
        try:
            yield connection
        finally:
            async with self._lock:
                keep = len(self._kept) < self._size
                if keep:
                    self._kept.append(connection)
            if not keep:
                await connection.close()

    async def close(self) -> None:
        for connection in self._kept:
            await connection.close()


class QueuePool(_OnAiosqlite):
    """A naive asyncio.Queue."""

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:  # noqa: ARG002
        self._queue: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        for _ in range(size):
            self._queue.put_nowait(await _connect(path))

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[aiosqlite.Connection]:
        connection = await self._queue.get()
        try:
            yield connection
        finally:
            self._queue.put_nowait(connection)

    async def close(self) -> None:
        while not self._queue.empty():
            await self._queue.get_nowait().close()


class AiosqlitePool(_OnAiosqlite):
    """The package aiosqlitepool."""

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:
        self._pool = SQLiteConnectionPool(
            lambda: _connect(path),
            pool_size=size,
            acquisition_timeout=acquire_timeout,
        )

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        lent: AbstractAsyncContextManager[Any] = self._pool.connection()
        return lent

    async def close(self) -> None:
        await self._pool.close()


class Sqlalchemy:
    """SQLAlchemy's asyncio engine."""

    pre_ping = False

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:
        self._engine = create_async_engine(
            f"sqlite+aiosqlite:///{path}",
            pool_size=size,
            max_overflow=0,
            pool_timeout=acquire_timeout,
            pool_pre_ping=self.pre_ping,
            isolation_level="AUTOCOMMIT",
        )

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        connecting: AbstractAsyncContextManager[Any] = self._engine.connect()
        return connecting

    async def execute(self, connection: Any, sql: str) -> list[Any]:
        result = await connection.exec_driver_sql(sql)
        return list(result.fetchall()) if result.returns_rows else []

    async def killer(self, connection: Any) -> Callable[[], Awaitable[None]]:
        driver = (await connection.get_raw_connection()).driver_connection
        return lambda: _kill(driver)

    async def close(self) -> None:
        await self._engine.dispose()


class SqlalchemyPrePing(Sqlalchemy):
    """SQLAlchemy with ``pool_pre_ping``."""

    pre_ping = True
