"""Reading from a server at the other end of a connection of asyncio."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar

from meshaccel.grouping.drivers.protocols import Records, Sink
from meshaccel.grouping.selection import Parameters, Selection
from meshaccel.shape import ParamStyle

T = TypeVar("T")


class RemoteDriver(ABC):
    """A server at the other end: rows arrive on the loop, a thread groups them."""

    paramstyle: ParamStyle

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    @abstractmethod
    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Let all statements inside see the same state of the database."""

    @abstractmethod
    async def rows(self, text: str, parameters: Parameters) -> list[Any]:
        """Run a statement."""

    @abstractmethod
    def row_chunks(self, text: str, parameters: Parameters) -> AsyncGenerator[list[Any]]:
        """Run a statement without holding all its rows in memory."""

    async def read(self, selection: Selection, sink: Sink, finish: Callable[[], T]) -> T:
        """Read everything, then ``finish()``."""
        bound = selection.bound(self.paramstyle)
        async with self.snapshot():
            for statement, parameters in bound:
                rows = await self.rows(statement.text, parameters)
                await asyncio.to_thread(sink.feed, rows, statement.path)
        return await asyncio.to_thread(finish)

    async def chunks(self, selection: Selection, sink: Sink) -> AsyncGenerator[Records]:
        """Yield records as they become complete."""
        ((statement, parameters),) = selection.bound(self.paramstyle)
        async with (
            self.snapshot(),
            aclosing(self.row_chunks(statement.text, parameters)) as chunks,
        ):
            async for rows in chunks:
                yield await asyncio.to_thread(sink.feed, rows)
        yield sink.finish()
