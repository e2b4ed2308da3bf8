"""What the tests of the hierarchical cache share: a clock, a second level, and doors."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec

import msgspec

from meshaccel.cache import CachePolicy, HierarchicalCache, TagCache
from meshaccel.cache.level2 import (
    BackplaneListener,
    Invalidation,
    Level2,
    Reading,
    StoredEntry,
    Version,
    Wanted,
)
from meshaccel.cache.resilient_l2 import ResilientL2
from meshaccel.errors import SecondLevelError
from meshaccel.resilience import ONCE, ErrorHandlingMiddleware

P = ParamSpec("P")


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def idle() -> None:
    """Let every task run until it waits for something that only the test can do."""
    for _ in range(50):
        await asyncio.sleep(0)


@dataclass
class FakeClock:
    """A clock that is set by hand. Its two readings go together."""

    now: float = 1000.0

    def now_us(self) -> int:
        """Return Unix microseconds."""
        return int((self.now + 1.7e9) * 1e6)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now


@dataclass
class MemoryL2:
    """A second level without trips, which says what the real ones have to say."""

    clock: FakeClock = field(default_factory=FakeClock)
    entries: dict[str, StoredEntry] = field(default_factory=dict)
    notes: dict[tuple[str, str], int] = field(default_factory=dict)
    number: int = 0
    floor: int = 0
    calls: list[str] = field(default_factory=list)
    closed: bool = False

    def version(self) -> Version:
        """Return the present version."""
        return Version(b"memory", self.number)

    def _next(self, *names: tuple[str, str]) -> Version:
        self.number += 1
        for name in names:
            self.notes[name] = self.number
        return self.version()

    def _noted(self, kind: str, names: Sequence[str]) -> int:
        return max([self.floor, *(self.notes.get((kind, name), 0) for name in names)])

    def _stale(self, key: str, tags: Sequence[str], entry: StoredEntry) -> bool:
        return (
            entry.version.number < max(self._noted("tag", tags), self._noted("key", [key]))
            or entry.kept_until <= self.clock.now_us() / 1e6
        )

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up."""
        self.calls.append("read")
        found: list[StoredEntry | None] = []
        for each in wanted:
            entry = self.entries.get(each.key)
            if entry is None or self._stale(each.key, (*entry.tags, *each.tags), entry):
                found.append(None)
            else:
                expired = entry.version.number < self._noted("expired", (*entry.tags, *each.tags))
                found.append(msgspec.structs.replace(entry, expired=expired))
        return Reading(self.version(), tuple(found))

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store unless stale, or older than what is there."""
        self.calls.append("write")
        there = self.entries.get(key)
        if self._stale(key, entry.tags, entry) or (there and there.version > entry.version):
            return False
        self.entries[key] = entry
        return True

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store as the newest."""
        self.calls.append("put")
        version = self._next(("key", key))
        self.entries[key] = msgspec.structs.replace(entry, version=version)
        return version

    async def delete(self, keys: Sequence[str]) -> Version:
        """Forget keys."""
        self.calls.append("delete")
        for key in keys:
            self.entries.pop(key, None)
        return self._next(*(("key", key) for key in keys))

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """Note tags."""
        self.calls.append("invalidate")
        return self._next(*(("tag", tag) for tag in tags))

    async def expire(self, tags: Sequence[str]) -> Version:
        """Note tags."""
        self.calls.append("expire")
        return self._next(*(("expired", tag) for tag in tags))

    async def clear(self) -> Version:
        """Forget everything."""
        self.calls.append("clear")
        self.entries.clear()
        version = self._next()
        self.floor = self.number
        return version

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class Doors:
    """A second level whose trips take as long as the test wants, and fail when it wants.

    Args:
        behind: The real one.
        shut: The operations that wait, before and after, until the test lets them through.
    """

    def __init__(self, behind: Level2, *shut: str) -> None:
        self.behind = behind
        self.shut = set(shut)
        self.failing: set[str] = set()
        self.waiting: list[tuple[str, asyncio.Event]] = []

    async def pass_one(self) -> str:
        """Let the first one that waits go on, and run until everything waits again."""
        name, event = self.waiting.pop(0)
        event.set()
        await idle()
        return name

    async def open(self) -> None:
        """Let everyone through from now on."""
        self.shut.clear()
        while self.waiting:
            await self.pass_one()

    async def _wait(self, name: str) -> None:
        if name.split(maxsplit=1)[0] in self.shut:
            event = asyncio.Event()
            self.waiting.append((name, event))
            await event.wait()
        if name in self.failing:
            raise SecondLevelError(f"{name} fails")

    async def _through(self, name: str, operation: Callable[[], Awaitable[Any]]) -> Any:
        await self._wait(name)
        result = await operation()
        await self._wait(f"{name} done")
        return result

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """As the one behind."""
        reading: Reading = await self._through("read", lambda: self.behind.read(wanted))
        return reading

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """As the one behind."""
        return bool(await self._through("write", lambda: self.behind.write(key, entry)))

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """As the one behind."""
        version: Version = await self._through("put", lambda: self.behind.put(key, entry))
        return version

    async def delete(self, keys: Sequence[str]) -> Version:
        """As the one behind."""
        version: Version = await self._through("delete", lambda: self.behind.delete(keys))
        return version

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """As the one behind."""
        version: Version = await self._through("invalidate", lambda: self.behind.invalidate(tags))
        return version

    async def expire(self, tags: Sequence[str]) -> Version:
        """As the one behind."""
        version: Version = await self._through("expire", lambda: self.behind.expire(tags))
        return version

    async def clear(self) -> Version:
        """As the one behind."""
        version: Version = await self._through("clear", self.behind.clear)
        return version

    async def close(self) -> None:
        """As the one behind."""
        await self.behind.close()


class Air:
    """What the messages of several nodes go through; the test delivers or loses them."""

    def __init__(self) -> None:
        self.planes: list[Plane] = []

    def plane(self) -> "Plane":
        """Return the backplane of one more node."""
        self.planes.append(Plane(self))
        return self.planes[-1]


class Plane:
    """A backplane of one node."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self.connected = True
        self.inbox: list[Invalidation] = []
        self.listener: BackplaneListener | None = None
        self.failing = False

    async def publish(self, invalidation: Invalidation) -> None:
        """Put a message on its way."""
        if self.failing:
            raise ConnectionError("nobody there")
        for plane in self._air.planes:
            if plane is not self and plane.connected:
                plane.inbox.append(invalidation)

    def subscribe(self, listener: BackplaneListener) -> None:
        """Remember who is to be told."""
        self.listener = listener

    def deliver(self) -> None:
        """Let the oldest message arrive."""
        assert self.listener is not None
        self.listener.invalidated(self.inbox.pop(0))

    def cut(self) -> None:
        """Lose the connection, and what is on its way."""
        assert self.listener is not None
        self.connected = False
        self.inbox.clear()
        self.listener.lost()

    def mend(self) -> None:
        """Connect again."""
        assert self.listener is not None
        self.connected = True
        self.listener.lost()

    async def close(self) -> None:
        """Tell nobody any more."""
        self.listener = None


class Origin:
    """Where values come from: a function that fetches, counts, waits and fails as it is told."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values) or [1]
        self.calls = 0
        self.cancelled = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Any:
        """Return the next value; the last one again and again."""
        self.calls += 1
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        error = self.error
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if error is not None:
            raise error
        return value


def make(
    l2: Level2 | None = None, clock: FakeClock | None = None, **options: Any
) -> HierarchicalCache[Any]:
    """Return a cache with a first level on the same clock; ``CachePolicy`` options go to it."""
    clock = clock or FakeClock()
    fields = {name: options.pop(name) for name in list(options) if hasattr(CachePolicy, name)}
    policy = CachePolicy(**{"ttl": 60.0, **fields})
    l1 = TagCache[Any](1000, clock=clock.monotonic)
    if l2 is not None:  # nor breaker nor haste: the test says when it fails
        errors = ErrorHandlingMiddleware(default=ONCE)
        l2 = ResilientL2(l2, timeout=3600, errors=errors)
    return HierarchicalCache(l1, l2, clock=clock, policy=policy, **options)


FOREVER = math.inf
