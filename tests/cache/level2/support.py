"""What the tests of second levels share."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from meshaccel.cache.level2 import Level2, StoredEntry, Version, Wanted
from meshaccel.errors import SecondLevelError

T = TypeVar("T")

Opened = Callable[[], Awaitable[Level2]]
"""Opens a store over the same data each time."""


class Clock:
    """A clock that stands still until it is set; it begins with the real time."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))  # whole, so that sums of it are exact

    def now_us(self) -> int:
        """Return Unix time in microseconds."""
        return int(self.now * 1e6)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now


def entry(
    payload: bytes,
    version: Version,
    *tags: str,
    fresh_until: float = math.inf,
    kept_until: float = math.inf,
    validator: str | None = None,
) -> StoredEntry:
    """An entry that is kept for ever, unless told otherwise."""
    return StoredEntry(
        payload=payload,
        tags=tags,
        version=version,
        fresh_until=fresh_until,
        kept_until=kept_until,
        validator=validator,
    )


async def insisted(call: Callable[[], Awaitable[T]]) -> T:
    """What a call returns in the end: to a client in a hurry a busy machine is away, too."""
    for _ in range(600):
        with suppress(SecondLevelError):
            return await call()
        await asyncio.sleep(0.05)
    raise AssertionError("no answer")


async def present(l2: Level2) -> Version:
    """The version now."""
    return (await l2.read([])).version


async def look(l2: Level2, key: str, *tags: str) -> StoredEntry | None:
    """What is stored under a key, to a reader that knows of tags."""
    (found,) = (await l2.read([Wanted(key, tags)])).entries
    return found


async def payload(l2: Level2, key: str, *tags: str) -> bytes | None:
    """The payload stored under a key."""
    found = await look(l2, key, *tags)
    return None if found is None else found.payload
