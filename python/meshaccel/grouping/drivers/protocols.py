"""What reading needs of a database driver."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from meshaccel.grouping.selection import Parameters, Selection
from meshaccel.shape import ParamStyle

T = TypeVar("T")
Records = list[dict[str, Any]]

CHUNK_ROWS = 1_000
"""Rows of one chunk: a few milliseconds of work, against some 0.1 ms of a hop between threads."""


class Sink(Protocol):
    """What takes rows and gives back the records that are complete by now."""

    def feed(self, rows: Iterable[Any], level: str | None = None) -> Records:
        """Take rows of a level, or of the joined statement."""

    def finish(self) -> Records:
        """Give back what is left."""


class Rows(Protocol):
    """A cursor with the rows of a statement; iterating it gives tuples."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next rows, none at the end."""


class Driver(Protocol):
    """A kind of connection that blocks."""

    paramstyle: ParamStyle

    def snapshot(self, conn: Any, statements: int) -> AbstractContextManager[None]:
        """Let so many statements inside see the same state of the database."""

    def run(
        self, conn: Any, text: str, parameters: Parameters, *, in_chunks: bool = False
    ) -> AbstractContextManager[Rows]:
        """Run a statement; ``in_chunks``: without holding all its rows in memory."""


class AsyncDriver(Protocol):
    """A connection of asyncio."""

    async def read(self, selection: Selection, sink: Sink, finish: Callable[[], T]) -> T:
        """Feed the sink with all rows of a reading, off the loop; return ``finish()``."""

    def chunks(self, selection: Selection, sink: Sink) -> AsyncGenerator[Records]:
        """Yield records as they become complete. Close it to end early."""
