"""What errors of SQLite and of the pool are to a cache."""

import sqlite3
from collections.abc import Awaitable
from typing import TypeVar

from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    PoolClosedError,
    SecondLevelError,
    StoreFullError,
)

T = TypeVar("T")


async def translated(outcome: Awaitable[T]) -> T:
    """Await an outcome of the pool.

    Raises:
        StoreFullError: there is no room on the disk.
        SecondLevelError: whatever else keeps the pool from serving.
    """
    try:
        return await outcome
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise StoreFullError(f"no room: {error}") from error
        raise SecondLevelError(f"{type(error).__name__}: {error}") from error
    except (sqlite3.Error, DatabaseError, ConnectionPoolExhausted, PoolClosedError) as error:
        raise SecondLevelError(f"{type(error).__name__}: {error}") from error
