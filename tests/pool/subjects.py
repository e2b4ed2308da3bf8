"""ConnectionPool as a subject of the fault checks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from meshaccel.pool import Acquiring, Connection, ConnectionPool
from meshaccel.pool.jobs import Job, Mode


class _Nobody:
    def job_done(self, job: Job) -> None:
        """The pool is not to know."""


class OurPool:
    """``acquire`` and plain SQL."""

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:
        """Open the pool over a file."""
        self._pool = ConnectionPool(path, size, acquire_timeout=acquire_timeout)
        await self._pool.open()

    def acquire(self) -> Acquiring:
        """Lend a connection."""
        return self._pool.acquire()

    async def execute(self, connection: Connection, sql: str) -> list[Any]:
        """Execute SQL and return its rows."""
        return (await connection.execute(sql)).rows

    async def killer(self, connection: Connection) -> Callable[[], Awaitable[None]]:
        """Return what closes the SQLite connection behind the pool's back, at any time."""
        assert connection._slot is not None
        worker = connection._slot.worker

        async def kill() -> None:
            closed = asyncio.get_running_loop().create_future()
            worker.submit(Job(closed, lambda raw: raw.close(), Mode.ANY, _Nobody()))
            await closed

        return kill

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close(timeout=1)
