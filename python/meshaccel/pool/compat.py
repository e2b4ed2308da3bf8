"""A pooled connection with the face of aiosqlite's."""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiosqlite

if TYPE_CHECKING:
    from meshaccel.pool.connection import Connection


class PooledAiosqlite(aiosqlite.Connection):
    """aiosqlite's methods on a pooled connection's thread.

    It overrides what all public methods go through; ``tests/pool/test_compat.py`` holds us to
    it. The thread that the base class prepares is never started.
    """

    def __init__(self, connection: "Connection") -> None:
        super().__init__(_no_connector, iter_chunk_size=64)
        self._pooled = connection

    @property
    def _conn(self) -> sqlite3.Connection:
        return self._pooled.raw

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._pooled.run(lambda _: fn(*args, **kwargs))

    async def close(self) -> None:
        """Do nothing: the connection is the pool's."""

    def __del__(self) -> None:
        """Keep the base class from warning of a connection that is not its own."""


def _no_connector() -> sqlite3.Connection:
    raise RuntimeError("this connection is the pool's, and open already")
