"""What ``meshaccel.cache`` does, in plain Python."""

import math
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from meshaccel.cache.stats import CacheStats
from meshaccel.errors import CacheOptionError, ForeignFlightError
from meshaccel.reference.eviction import Queues
from meshaccel.reference.flights import Flight, exact_name, exact_names

V = TypeVar("V")
D = TypeVar("D")
P = ParamSpec("P")

_U64 = (1 << 64) - 1
_NEVER = (1 << 48) - 1
"""Microseconds, nearly nine years: the native cache takes them for ever."""


@dataclass
class _Entry(Generic[V]):
    value: V
    tags: frozenset[str]
    size: int
    deadline: float = math.inf
    """In microseconds, as all times."""
    end: float = math.inf
    idle: float = math.inf


_NOTHING = object()


async def _ready(value: V) -> V:
    return value


@dataclass
class _Counters:
    hits: int = 0
    misses: int = 0
    stored: int = 0
    outlived: int = 0
    evicted: int = 0
    expired: int = 0
    invalidated: int = 0


class TagCache(Generic[V]):
    """The same API and the same results as ``meshaccel.cache.TagCache``.

    Nothing is done by and by: invalidated entries leave at once, and every write takes out all
    that has expired. Flights note without bound. Not for several threads.
    """

    def __init__(  # noqa: PLR0913 - as the original
        self,
        max_entries: int,
        *,
        max_bytes: int | None = None,
        ttl: float | None = None,
        idle_ttl: float | None = None,
        jitter: float = 0.0,
        weigh: Callable[[str, V], int] | None = None,
        clock: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        if not 0 <= max_entries < 1 << 32:
            raise CacheOptionError("max_entries", "between 0 and 2**32 - 1", max_entries)
        if max_bytes is not None and max_bytes < 0:
            raise CacheOptionError("max_bytes", "at least 0", max_bytes)
        if not 0 <= jitter < 1:
            raise CacheOptionError("jitter", "at least 0 and less than 1", jitter)
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._ttl = _span("ttl", ttl, math.inf)
        self._idle_ttl = _span("idle_ttl", idle_ttl, math.inf)
        self._jitter = jitter
        self._random = seed or 0
        self._weigh = weigh
        self._clock = clock or time.monotonic
        self._start = self._clock()
        self._entries: dict[str, _Entry[V]] = {}
        self._counters = _Counters()
        self._queues = Queues(max_entries, max_bytes)
        self.epoch = 0
        self.flights: list[Flight] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return self._alive(exact_name(key, "key")) is not None

    def get(self, key: str, default: D | None = None) -> V | D | None:
        """Return the value of ``key``, or ``default``."""
        key, now = exact_name(key, "key"), self._now()
        entry = self._alive(key)
        if entry is None:
            self._counters.misses += 1
            self._bury(key)
            return default
        self._counters.hits += 1
        self._queues.hit(key)
        entry.deadline = _deadline(entry.end, now + entry.idle)
        return entry.value

    def get_many(self, keys: Iterable[str], default: D | None = None) -> list[V | D | None]:
        """Return the values of ``keys``, in their order, with ``default`` for each miss."""
        return [self.get(key, default) for key in exact_names(keys, "key")]

    def set(  # noqa: PLR0913 - as the original
        self,
        key: str,
        value: V,
        tags: Iterable[str] = (),
        *,
        ttl: float | None = None,
        idle_ttl: float | None = None,
        since: Flight | None = None,
        size: int | None = None,
    ) -> bool:
        """Store ``value``; return whether it was stored."""
        key, tags = exact_name(key, "key"), frozenset(exact_names(tags, "tag"))
        lifetime = _span("ttl", ttl, self._ttl), _span("idle_ttl", idle_ttl, self._idle_ttl)
        size = self._size(key, value) if size is None else size
        size = 0 if self._max_bytes is None else size
        if size < 0:
            raise CacheOptionError("size", "at least 0", size)
        if since is None:
            self._change(("key", key))
        elif since.cache is not self:
            raise ForeignFlightError
        elif since.outlived(tags, key):
            self._counters.outlived += since.under_way
            return False
        self.sweep()
        old = self._entries.get(key)
        if self._max_entries == 0 or (self._max_bytes is not None and size > self._max_bytes):
            self._remove(key)
            return False
        if old is None:
            was_ghost = self._queues.revive(key)
            self._make_room(1, size)
            self._queues.push(key, size, in_main=was_ghost)
        else:
            self._queues.hit(key)
            if size != old.size:
                in_main = self._queues.in_main(key)
                self._queues.take(key)
                self._make_room(0, size)
                self._queues.push(key, size, in_main=in_main)
        self._entries[key] = _Entry(value, tags, size)
        self._schedule(self._entries[key], *lifetime)
        self._counters.stored += 1
        return True

    def touch(self, key: str, *, ttl: float | None = None, idle_ttl: float | None = None) -> bool:
        """Give an entry a new time to live from now on; return whether there is one."""
        lifetime = _span("ttl", ttl, self._ttl), _span("idle_ttl", idle_ttl, self._idle_ttl)
        entry = self._alive(exact_name(key, "key"))
        if entry is None:
            self._bury(key)
            return False
        self._schedule(entry, *lifetime)
        return True

    def ttl(self, key: str) -> float | None:
        """Return the seconds an entry has left, ``math.inf`` for ever, None if there is none."""
        entry = self._alive(exact_name(key, "key"))
        return None if entry is None else (entry.deadline - self._now()) / 1e6

    def delete(self, key: str) -> bool:
        """Drop an entry, and outlive the flights it may be computed in; whether it was there."""
        self._change(("key", exact_name(key, "key")))
        if self._alive(key) is None:
            self._bury(key)
            return False
        self._remove(key)
        return True

    def invalidate_by_tag(self, *tags: str) -> int:
        """Drop every entry that carries one of ``tags``; return how many those were."""
        self._change(*(("tag", tag) for tag in exact_names(tags, "tag")))
        gone = [key for key, entry in self._entries.items() if not entry.tags.isdisjoint(tags)]
        for key in gone:
            self._remove(key)
        self._counters.invalidated += len(gone)
        return len(gone)

    def sweep(self) -> int:
        """Drop all that has expired; return the number of values dropped."""
        now = self._now()
        gone = [key for key, entry in self._entries.items() if entry.deadline <= now]
        for key in gone:
            self._bury(key)
        return len(gone)

    def clear(self) -> None:
        """Drop every entry, and outlive every flight."""
        self._change()
        for flight in self.flights:
            flight.everything_changed = True
        self._entries.clear()
        self._queues = Queues(self._max_entries, self._max_bytes)

    def reader(
        self, on_miss: Callable[Concatenate[str, P], Awaitable[V]]
    ) -> Callable[Concatenate[str, P], Awaitable[V]]:
        """Return a function that looks up a key, to be awaited, with ``on_miss`` after a miss."""

        def read(*args: Any, **options: Any) -> Awaitable[V]:
            value: Any = self.get(args[0], _NOTHING) if args else _NOTHING
            return on_miss(*args, **options) if value is _NOTHING else _ready(value)

        return read

    def flight(self) -> Flight:
        """Begin a flight."""
        return Flight(self, self.epoch, self.flights)

    def keys(self) -> list[str]:
        """Return the keys: newcomers, then the others, each in the order they would leave in."""
        return list(self._queues)

    def keys_by_tag(self, tag: str) -> list[str]:
        """Return the keys of the entries that carry ``tag``, in no order."""
        exact_name(tag, "tag")
        return [key for key, entry in self._entries.items() if tag in entry.tags]

    def stats(self) -> CacheStats:
        """Return counts since the start, and what there is now."""
        tags = {tag for entry in self._entries.values() for tag in entry.tags}
        counters = vars(self._counters)
        size = self._queues.size
        return CacheStats(**counters, entries=len(self), bytes=size, tags=len(tags), pending=0)

    def validate(self) -> None:
        """Check that the two halves agree."""
        assert set(self._queues) == set(self._entries)  # noqa: S101 - it is what tests ask for

    def _now(self) -> int:
        return int((self._clock() - self._start) * 1e6)

    def _alive(self, key: str) -> _Entry[V] | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.deadline > self._now() else None

    def _change(self, *names: tuple[str, str]) -> None:
        self.epoch += 1
        for flight in self.flights:
            flight.changed.update(names)

    def _make_room(self, entries: int, size: int) -> None:
        while len(self._entries) + entries > self._max_entries or (
            self._max_bytes is not None and self._queues.size + size > self._max_bytes
        ):
            evicted = self._queues.evict()
            if evicted is None:
                return
            self._counters.evicted += 1
            del self._entries[evicted]

    def _schedule(self, entry: _Entry[V], ttl: float, idle_ttl: float) -> None:
        now = self._now()
        entry.end = now + self._shorten(ttl)
        entry.idle = idle_ttl
        entry.deadline = _deadline(entry.end, now + idle_ttl)

    def _shorten(self, ttl: float) -> float:
        """Apply the jitter, with SplitMix64 for random numbers."""
        if not self._jitter or ttl >= _NEVER:
            return ttl
        self._random = (self._random + 0x9E3779B97F4A7C15) & _U64
        mixed = self._random
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _U64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _U64
        share = ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)
        return int(ttl * (1.0 - self._jitter * share))

    def _size(self, key: str, value: V) -> int:
        if self._max_bytes is None:
            return 0
        if self._weigh is not None:
            return self._weigh(key, value)
        return sys.getsizeof(key) + sys.getsizeof(value)

    def _remove(self, key: str) -> None:
        if self._entries.pop(key, None) is not None:
            self._queues.remove(key)

    def _bury(self, key: str) -> None:
        """Remove an entry that has expired, if that is why it is not alive."""
        self._counters.expired += key in self._entries
        self._remove(key)


def _deadline(end: float, idle_end: float) -> float:
    deadline = min(end, idle_end)
    return deadline if deadline == math.inf else min(deadline, _NEVER - 1)


def _span(option: str, seconds: float | None, default: float) -> float:
    """Return whole microseconds, or infinity."""
    if seconds is None:
        return default
    if not seconds > 0:
        raise CacheOptionError(option, "a positive number of seconds", seconds)
    micros = seconds * 1e6
    return max(int(micros), 1) if micros < _NEVER else math.inf
