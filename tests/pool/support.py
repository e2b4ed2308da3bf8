"""What the tests of the pool share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from meshaccel.pool import ConnectionPool

FOR_EVER = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


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
        await pool.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x)")
        yield pool


async def eventually(what: Callable[[], bool], deadline_s: float = 5.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)
