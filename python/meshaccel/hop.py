"""The hop to the thread of an aiosqlite connection.

A hop costs several times what SQLite needs for a point query, so the unit that crosses is a
function of ``sqlite3.Connection``: all its statements, the grouping of its rows and the commit
cost one.
"""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite

T = TypeVar("T")


async def run_in_thread(raw: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run ``work`` in the connection's thread, after everything queued before it.

    Cancelling the caller does not stop work that is already queued.
    """
    # aiosqlite has no public way to run a function in its thread; this is the one method
    # behind all its public ones, and `tests/grouping/test_reading.py` holds us to it.
    result: T = await raw._execute(  # type: ignore[no-untyped-call]  # noqa: SLF001
        lambda: work(raw._conn)  # noqa: SLF001
    )
    return result
