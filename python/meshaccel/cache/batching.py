"""Reads of one moment, made in one trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from meshaccel.cache.level2 import Reading, Wanted
from meshaccel.errors import SecondLevelError

MAX_KEYS: Final = 512
"""Keys per trip: the server does nothing else meanwhile."""

ReadNow = Callable[[Sequence[Wanted]], Awaitable[Reading]]


class BatchingReader:
    """Gathers what is asked for in one iteration of the event loop, and reads it at once.

    Who is cancelled takes nobody along. All who share a trip see one reading, made after they
    asked; it fails for all of them.

    Args:
        read: makes a trip.
    """

    def __init__(self, read: ReadNow) -> None:
        self._read = read
        self._asked: list[tuple[Sequence[Wanted], asyncio.Future[Reading]]] = []
        self._trips: set[asyncio.Task[None]] = set()

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Read with others."""
        if self._asked:
            future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
            self._asked.append((wanted, future))
            return await future
        first = asyncio.get_running_loop().create_future()
        self._asked.append((wanted, first))
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            first.cancel()
            raise
        finally:
            asked, self._asked = self._asked, []
            if len(asked) > 1:
                self._depart(asked)
        # Alone, it needs no task to outlive it.
        return await (self._read(wanted) if len(asked) == 1 else first)

    async def close(self) -> None:
        """Cancel the trips under way."""
        for trip in self._trips:
            trip.cancel()
        await asyncio.gather(*self._trips, return_exceptions=True)

    def _depart(self, asked: Sequence[tuple[Sequence[Wanted], asyncio.Future[Reading]]]) -> None:
        together: list[tuple[Sequence[Wanted], asyncio.Future[Reading]]] = []
        keys = 0
        for wanted, future in asked:
            if together and keys + len(wanted) > MAX_KEYS:
                self._start(together)
                together, keys = [], 0
            together.append((wanted, future))
            keys += len(wanted)
        self._start(together)

    def _start(self, together: list[tuple[Sequence[Wanted], asyncio.Future[Reading]]]) -> None:
        trip = asyncio.get_running_loop().create_task(self._travel(together))
        self._trips.add(trip)
        trip.add_done_callback(self._trips.discard)

    async def _travel(
        self, together: list[tuple[Sequence[Wanted], asyncio.Future[Reading]]]
    ) -> None:
        try:
            reading = await self._read([one for wanted, _ in together for one in wanted])
        except BaseException as error:
            for _, future in together:
                if not future.done():
                    closed = isinstance(error, asyncio.CancelledError)  # those who wait were not
                    future.set_exception(SecondLevelError("closed") if closed else error)
            if not isinstance(error, Exception):
                raise
            return
        at = 0
        for wanted, future in together:
            if not future.done():
                entries = reading.entries[at : at + len(wanted)]
                future.set_result(Reading(reading.version, entries))
            at += len(wanted)
