"""Reading from connections of asyncio."""

from functools import partial

import aiosqlite

from meshaccel.grouping.drivers.asyncpg import AsyncpgDriver
from meshaccel.grouping.drivers.detection import is_one_of
from meshaccel.grouping.drivers.hopping import HoppingSqlite
from meshaccel.grouping.drivers.protocols import AsyncDriver
from meshaccel.hop import run_in_thread


def async_driver_of(conn: object) -> AsyncDriver:
    """Return how to read from a connection of asyncio.

    Raises:
        TypeError: It is none that can be read from.
    """
    if isinstance(conn, aiosqlite.Connection):
        return HoppingSqlite(partial(run_in_thread, conn))
    if is_one_of(conn, "asyncpg", "Connection", "PoolConnectionProxy"):
        return AsyncpgDriver(conn)
    if is_one_of(conn, "psycopg", "AsyncConnection"):
        from meshaccel.grouping.drivers.psycopg import AsyncPsycopgDriver  # noqa: PLC0415

        return AsyncPsycopgDriver(conn)
    run = getattr(conn, "run", None)
    if callable(run):
        return HoppingSqlite(run)
    raise TypeError(
        "expected a connection of aiosqlite, asyncpg or psycopg, or one with run(function);"
        f" got {type(conn).__name__} (a connection that blocks is for read)"
    )
