"""What the tests of the pool share."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from meshaccel.pool import ConnectionPool

FOR_EVER = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


class Endless:
    """A statement that runs until it is interrupted, and tells when it has begun."""

    sql = f"SELECT begun() UNION ALL SELECT * FROM ({FOR_EVER})"

    def __init__(self) -> None:
        self._begun = threading.Event()

    def on_connect(self, raw: sqlite3.Connection) -> None:
        """Give a connection the function that tells."""
        raw.create_function("begun", 0, self._begun.set)

    async def begun(self) -> None:
        """Return while it runs."""
        await eventually(self._begun.is_set)


class ManualClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.now


@asynccontextmanager
async def pool_over(folder: Path, size: int = 3, **options: Any) -> AsyncIterator[ConnectionPool]:
    """A pool over a new file with a table ``t (id, x)``."""
    async with ConnectionPool(folder / "t.db", size, **options) as pool:
        async with pool.write(timeout=60) as conn:  # the pool itself may be an impatient one
            await conn.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x)")
        yield pool


async def eventually(what: Callable[[], bool], deadline_s: float = 60.0) -> None:
    """Wait until something is so; the deadline is for what never is, however slow the machine."""
    deadline = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
