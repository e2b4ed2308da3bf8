"""The pool of the brief over aiosqlite.

Corrected: nothing in the brief puts connections into its queue, so they are opened at the start;
aiosqlite cannot say whether a connection is healthy, so all are taken to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite

Connect = Callable[[], Awaitable[aiosqlite.Connection]]


class ConnectionPoolExhausted(Exception):  # noqa: N818 - the brief's name
    """Nobody gave a connection back in time."""


class OptimizedConnectionPool:
    """A queue of connections."""

    def __init__(self, max_connections: int = 20) -> None:
        self.pool: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue(maxsize=max_connections)
        self.active_connections: set[aiosqlite.Connection] = set()

    async def acquire(self, timeout: float = 5.0) -> aiosqlite.Connection:  # noqa: ASYNC109 - the brief's
        """Wait for a connection."""
        try:
            conn = await asyncio.wait_for(self.pool.get(), timeout=timeout)
        except TimeoutError:
            raise ConnectionPoolExhausted from None
        self.active_connections.add(conn)
        return conn

    async def release(self, conn: aiosqlite.Connection) -> None:
        """Give a connection back."""
        if conn in self.active_connections:
            self.active_connections.remove(conn)
            await self.pool.put(conn)

    async def fetch_one(self, sql: str, *parameters: object) -> Any:
        """Return the first row of a query, as aiosqlite's documentation reads one."""
        conn = await self.acquire()
        try:
            async with conn.execute(sql, parameters) as cursor:
                return await cursor.fetchone()
        finally:
            await self.release(conn)


@asynccontextmanager
async def opened(connect: Connect, size: int) -> AsyncIterator[OptimizedConnectionPool]:
    """Open so many connections, and close them at the end."""
    pool = OptimizedConnectionPool(size)
    connections: list[aiosqlite.Connection] = []
    try:
        for _ in range(size):
            connections.append(await connect())
            pool.pool.put_nowait(connections[-1])
        yield pool
    finally:
        for conn in connections:
            await conn.close()
