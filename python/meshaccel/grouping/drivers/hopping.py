"""SQLite in a thread of its own: aiosqlite, or whatever runs functions there."""

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeVar

from meshaccel.grouping.drivers.blocking import read_chunks, read_into
from meshaccel.grouping.drivers.cancelling import completed
from meshaccel.grouping.drivers.protocols import Records, Sink
from meshaccel.grouping.drivers.sqlite import SQLITE
from meshaccel.grouping.selection import Selection

T = TypeVar("T")


class HoppingSqlite:
    """SQLite in a thread of its own: statements, grouping and encoding cost one hop there."""

    def __init__(
        self, run: Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]
    ) -> None:
        self._run = run

    async def read(self, selection: Selection, sink: Sink, finish: Callable[[], T]) -> T:
        """Read everything, then ``finish()``, in one hop."""

        def work(conn: sqlite3.Connection) -> T:
            read_into(conn, SQLITE, selection, sink)
            return finish()

        result: T = await self._run(work)
        return result

    async def chunks(self, selection: Selection, sink: Sink) -> AsyncGenerator[Records]:
        """Yield records as they become complete, in one hop for each chunk of rows."""
        opened: list[Generator[Records]] = []

        def step(conn: sqlite3.Connection) -> Records | None:
            if not opened:
                opened.append(read_chunks(conn, SQLITE, selection, sink))
            return next(opened[0], None)

        def close(_: sqlite3.Connection) -> None:
            for chunks in opened:
                chunks.close()

        try:
            while (records := await self._run(step)) is not None:
                yield records
        finally:
            # Behind a step that is under way.
            await completed(self._run(close))
