"""The second level as the cache sees it: values in place of payloads, and no errors."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from meshaccel.cache.counters import Counters
from meshaccel.cache.level2 import UNKNOWN, Codec, Level2, StoredEntry, Version, Wanted
from meshaccel.cache.resilient_l2 import ResilientL2
from meshaccel.errors import CodecError

V = TypeVar("V")
T = TypeVar("T")

logger = logging.getLogger("meshaccel.cache")

ErrorHook = Callable[[str, Exception], None]
"""Told what was tried and how it failed. What it raises reaches the caller of the cache."""


class Found(NamedTuple):
    """What the second level had, in the order that was asked."""

    version: Version
    entries: Sequence[StoredEntry | None]


class SecondLevel(Generic[V]):
    """Looks up, stores and forgets. That it cannot is logged once, counted, and told a hook.

    Args:
        store: Where entries are; None is no second level. It is made resilient if it is not:
            otherwise what could not be invalidated there would come back.
        codec: Between values and payloads.
        on_error: Told of every error.
        counters: Where to count.
    """

    def __init__(
        self, store: Level2 | None, codec: Codec, on_error: ErrorHook | None, counters: Counters
    ) -> None:
        self.store = (
            store if store is None or isinstance(store, ResilientL2) else ResilientL2(store)
        )
        self._codec = codec
        self._on_error = on_error
        self._counters = counters
        self._failing = False

    async def find(self, wanted: Sequence[Wanted]) -> Found:
        """Look entries up, and the present version."""
        if self.store is None:
            return Found(UNKNOWN, [None] * len(wanted))
        reading = await self.attempt("read", self.store.read(wanted))
        if reading is None:
            return Found(UNKNOWN, [None] * len(wanted))
        return Found(reading.version, reading.entries)

    def decode(self, entry: StoredEntry) -> tuple[V] | None:
        """Return the value of an entry, in a tuple; None if it is not one of ours."""
        try:
            return (self._codec.decode(entry.payload),)
        except CodecError as error:
            self._note("decode", error)
            return None

    def encode(self, value: V) -> bytes | None:
        """Return the payload of a value; None if it has none."""
        try:
            return self._codec.encode(value)
        except CodecError as error:
            self._note("encode", error)
            return None

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry; return False if it was refused, because something newer is known."""
        if self.store is None:
            return True
        written = await self.attempt("write", self.store.write(key, entry))
        self._counters.l2_writes += bool(written)
        self._counters.l2_refused += written is False
        return written is not False

    async def attempt(self, what: str, operation: Awaitable[T]) -> T | None:
        """Await an operation of the store; return None if it failed."""
        try:
            result = await operation
        except Exception as error:  # noqa: BLE001 - a store is another's code, and a cache goes on
            self._note(what, error)
            return None
        if self._failing:
            self._failing = False
            logger.info("the second level works again")
        return result

    def _note(self, what: str, error: Exception) -> None:
        self._counters.l2_errors += 1
        if isinstance(error, CodecError):
            logger.warning("second level: cannot %s: %s", what, error)
        elif not self._failing:
            self._failing = True
            logger.warning("second level: cannot %s: %s", what, error, exc_info=error)
        if self._on_error is not None:
            self._on_error(what, error)
