"""When what is held is written to disk, and read again."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from meshaccel.discovery import state_file
from meshaccel.discovery.follower import Follower
from meshaccel.metadata import MetadataPool

log = logging.getLogger(__name__)


class Keeper:
    """Keeps what a follower holds in a file, or in none if there is no path."""

    def __init__(
        self,
        follower: Follower,
        path: Path | None,
        *,
        selector: str,
        interval_s: float,
        clock: Callable[[], float],
    ) -> None:
        """``interval_s`` is the least time between two writings that nobody asked for."""
        self._follower = follower
        self._path = path
        self._selector = selector
        self._interval_s = interval_s
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read = self._unsaved = False
        self._saved_at = -float("inf")

    async def restore(self, pool: MetadataPool) -> None:
        """Let the follower go on from the file, once."""
        async with self._reading:
            if self._read or self._path is None:
                return
            restored = await asyncio.to_thread(
                state_file.load, self._path, pool, selector=self._selector
            )
            if restored is not None:
                self._follower.restore(restored.records, restored.position)
            elif self._path.exists():
                log.warning("the state cannot be used", extra={"path": str(self._path)})
                self._follower.resyncs["state"] += 1
            self._read = True

    async def changed(self) -> None:
        """Note a change, and write if the last time is long ago."""
        self._unsaved = True
        if self._clock() - self._saved_at >= self._interval_s:
            try:
                await self.save()
            except OSError as error:
                # The next start is a cold one, unless it can be written by then.
                log.warning("the state cannot be written", extra={"error": str(error)})

    async def save(self) -> None:
        """Write what is held, unless the file holds it.

        Raises:
            OSError: it cannot be written; it holds what it held.
        """
        position = self._follower.position
        if self._path is None or position is None or not self._unsaved:
            return
        self._unsaved = False
        self._saved_at = self._clock()
        records = self._follower.records.copy()
        try:
            await asyncio.to_thread(
                state_file.save, self._path, records, position, selector=self._selector
            )
        except BaseException:
            self._unsaved = True
            raise
