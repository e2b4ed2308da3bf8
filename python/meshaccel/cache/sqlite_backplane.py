"""A backplane for processes that share the file of a ``SqliteL2``: its notes are the messages."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from meshaccel.cache.level2 import UNKNOWN, BackplaneListener, Invalidation
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.errors import CacheOptionError, SecondLevelError

log = logging.getLogger(__name__)

_OWN_AT_MOST: Final = 10_000
"""Numbers remembered between two looks; others' are told of more than they must be."""


class SqliteBackplane:
    """Looks into the file for what other processes have invalidated, at an interval.

    Nothing is missed: notes stay. Those that were forgotten meanwhile, a ``clear`` and another
    incarnation are a loss. A look costs one small read if nothing has changed, and otherwise
    O(notes) in the file.

    Args:
        l2: of this process.
        interval: seconds between two looks, and so the longest that a message takes.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(self, l2: SqliteL2, *, interval: float = 0.2) -> None:
        if interval <= 0:
            raise CacheOptionError("interval", "above 0", interval)
        self._l2 = l2
        self._interval = interval
        self._listeners: list[BackplaneListener] = []
        self._watching: asyncio.Task[None] | None = None
        self._seen = UNKNOWN
        self._own: set[int] = set()

    @property
    def connected(self) -> bool:
        """Whether the last look succeeded."""
        return self._seen != UNKNOWN

    async def publish(self, invalidation: Invalidation) -> None:
        """Remember that it is this process's own; the file tells the others."""
        self._own.add(invalidation.version.number)
        if len(self._own) > _OWN_AT_MOST:
            self._own.clear()

    def subscribe(self, listener: BackplaneListener) -> None:
        """Be told from now on, in the running event loop."""
        self._listeners.append(listener)
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop looking. Listeners are not told."""
        self._listeners.clear()
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except (SecondLevelError, ValueError) as error:  # a name that is none, for example
                if self.connected:
                    log.warning("the backplane cannot read the file: %s", error)
                    self._seen = UNKNOWN
                    self._tell(_lose)
            await asyncio.sleep(self._interval)

    async def _look(self) -> None:
        own, seen = frozenset(self._own), self._seen
        changes = await self._l2.changes(seen)
        self._own -= own
        if changes.version == seen:
            return
        self._seen = changes.version
        if changes.known is None:
            self._tell(_lose)
            return
        told = Invalidation(
            changes.version,
            keys=_by_others(changes.known.keys, own),
            tags=_by_others(changes.known.tags, own),
            expired=_by_others(changes.known.expired, own),
        )
        if told.keys or told.tags or told.expired:
            self._tell(lambda listener: listener.invalidated(told))

    def _tell(self, tell: Callable[[BackplaneListener], None]) -> None:
        for listener in tuple(self._listeners):
            try:
                tell(listener)
            except Exception:  # a listener is another's code; the others are to be told as well
                log.exception("a listener of the backplane failed")


def _by_others(noted: dict[str, int], own: frozenset[int]) -> tuple[str, ...]:
    return tuple(name for name, number in noted.items() if number not in own)


def _lose(listener: BackplaneListener) -> None:
    listener.lost()
