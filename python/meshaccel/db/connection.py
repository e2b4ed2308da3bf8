"""One SQLite connection, owned by one thread; every unit of work is one hop to that thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import aiosqlite

from meshaccel.hop import run_in_thread

T = TypeVar("T")

STATEMENT_CACHE = 256
BUSY_TIMEOUT_S = 5.0

PRAGMAS = (
    # Readers see a snapshot while the writer writes.
    "PRAGMA journal_mode = WAL",
    # In WAL mode NORMAL loses nothing when the process dies, and at most the last commits
    # (never the integrity of the file) when the machine does; FULL waits for the disk each time.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 268435456",
)


class Connection:
    """An aiosqlite connection on which whole functions run, not single statements."""

    def __init__(self, raw: aiosqlite.Connection) -> None:
        self._raw = raw

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        query_only: bool = False,
        check: Callable[[sqlite3.Connection], None] | None = None,
    ) -> "Connection":
        """Open ``path`` (created if missing), unless ``check`` raises on what is in it.

        Raises:
            sqlite3.Error: the file cannot be opened or is not a database.
            ValueError: the path has a NUL character.
        """
        # Tried out first: a file that does not pass is left as it is, and aiosqlite leaves a
        # thread behind that outlives the loop if it cannot open one.
        await asyncio.to_thread(_try_out, path, check)
        raw = await aiosqlite.connect(
            path,
            # Transactions are ours alone: BEGIN is never implied.
            isolation_level=None,
            timeout=BUSY_TIMEOUT_S,
            cached_statements=STATEMENT_CACHE,
        )
        connection = cls(raw)

        def prepare(conn: sqlite3.Connection) -> None:
            for pragma in PRAGMAS:
                conn.execute(pragma)
            if query_only:
                conn.execute("PRAGMA query_only = ON")

        try:
            await connection.run(prepare)
        except BaseException:
            await raw.close()
            raise
        return connection

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in the connection's thread, after everything queued before it.

        Cancelling the caller does not stop work that is already queued.
        """
        return await run_in_thread(self._raw, work)

    async def close(self) -> None:
        """Finish what is queued and close. Closing twice is fine."""
        await self._raw.close()


def _try_out(path: str, check: Callable[[sqlite3.Connection], None] | None) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_schema")
        if check is not None:
            check(conn)
