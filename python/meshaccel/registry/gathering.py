"""Small reads of one moment, made together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")

MAX_KEYS = 256
"""A read that has so many keys takes no more: all who share it go on in one turn of the loop."""


class Gathering(Generic[V]):
    """Reads one batch after the other; what is asked for meanwhile makes up the next one.

    A batch is read after all who share it have asked, never before. It fails for all of them,
    and goes on if one of them is cancelled.

    Args:
        read: Reads the values of some keys.
    """

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._read = read
        self._open: dict[str, None] | None = None
        self._last: asyncio.Task[Mapping[str, V]] | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, V]:
        """Return the values of ``keys`` that exist, and of others that were read along."""
        batch, reading = self._open, self._last
        if batch is None or reading is None or len(batch) >= MAX_KEYS:
            batch = self._open = {}
            reading = self._last = asyncio.create_task(self._read_after(reading, batch))
        batch.update(dict.fromkeys(keys))
        return await asyncio.shield(reading)

    async def _read_after(
        self, before: asyncio.Task[Mapping[str, V]] | None, batch: dict[str, None]
    ) -> Mapping[str, V]:
        if before is not None:
            await asyncio.wait([before])
        if self._open is batch:
            self._open = None
        return await self._read(list(batch))
