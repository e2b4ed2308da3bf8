"""Reads of single keys that the first level cannot answer at once."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Generic, TypeVar

from meshaccel.cache.arrivals import Wish
from meshaccel.cache.context import Fetcher
from meshaccel.cache.fetches import Fetch, Outcome
from meshaccel.cache.first_level import Failed, Kept
from meshaccel.cache.level2 import UNKNOWN, Wanted
from meshaccel.cache.parts import Parts
from meshaccel.cache.run import Run

V = TypeVar("V")
D = TypeVar("D")


class Verdict(Enum):
    """What to do with what is known of a key."""

    ASK = auto()
    """Look further."""
    SERVE = auto()
    """Serve it as it is."""
    REFRESH = auto()
    """Serve it, and fetch a new value in the background."""


class Fetching(Generic[V]):
    """Finds or fetches values, each once for all who want it."""

    def __init__(self, parts: Parts[V]) -> None:
        self._parts = parts
        self._first = parts.first
        self._counters = parts.counters

    async def read(self, key: str, fetch: Fetcher[V] | None, wish: Wish, default: D) -> V | D:
        """Return a value that the first level does not serve unasked."""
        old = self._first.find_old(key)
        verdict = self.verdict(old, wish, fetches=fetch is not None)
        if isinstance(old, Kept) and verdict is not Verdict.ASK:
            if fetch is not None and verdict is Verdict.REFRESH:
                self._refresh(key, fetch, wish)
            return old.value
        if fetch is None:
            return await self._look_up(key, wish, default)
        if isinstance(old, Failed):
            self._counters.negative_hits += 1
            # Each time that it is raised would otherwise add to the traceback.
            raise old.error.with_traceback(None)
        return await self._fetched(key, fetch, wish)

    def verdict(self, old: Kept[V] | Failed | None, wish: Wish, *, fetches: bool) -> Verdict:
        """Say what to do with what the first level knows of a key."""
        if not isinstance(old, Kept):
            return Verdict.ASK
        policy, now = wish.policy, self._parts.clock.monotonic()
        if old.fresh(now):
            return Verdict.REFRESH if old.left(now) <= not_enough(wish) else Verdict.SERVE
        if fetches and old.retry_at > now and old.spare(policy, now):
            self._counters.failed_safe += 1
            return Verdict.SERVE
        if fetches and old.stale(policy, now):
            self._counters.stale += 1
            return Verdict.REFRESH
        return Verdict.ASK

    async def _look_up(self, key: str, wish: Wish, default: D) -> V | D:
        """Look in the second level only. Stores that can, ask for several keys at once."""
        parts = self._parts
        if parts.second.store is None:
            return default
        guard = self._first.guard()
        try:
            version, (entry,) = await parts.second.find([Wanted(key, tuple(wish.tags))])
            kept = None if entry is None else parts.arrivals.promote(key, entry, wish, guard)
            if kept is not None and kept.left(parts.clock.monotonic()) > 0:
                self._counters.l2_hits += 1
                return kept.value
            self._counters.l2_misses += version != UNKNOWN
            return default
        finally:
            guard.end()

    async def _fetched(self, key: str, function: Fetcher[V], wish: Wish) -> V:
        make = partial(self._make, key, wish)
        while True:
            epoch = self._first.epoch
            fetch, is_new = self._parts.fetches.enter(key, wish.tags, make)
            waiter = fetch.join()
            if is_new:
                self._start(fetch, function, wish, enough=0.0)
            else:
                self._counters.joined += 1
            try:
                outcome = await waiter
            except asyncio.CancelledError:
                fetch.leave(waiter)
                raise
            if counts(outcome, fetch, epoch):
                return result(outcome)

    def _refresh(self, key: str, function: Fetcher[V], wish: Wish) -> None:
        """Fetch in the background, unless that is being done, or the cache was closed."""
        if self._parts.closed:
            return
        make: Callable[[], Fetch[V]] = partial(self._make, key, wish, in_background=True)
        fetch, is_new = self._parts.fetches.enter(key, wish.tags, make)
        if is_new:
            self._counters.refreshed += 1
            self._start(fetch, function, wish, enough=not_enough(wish))

    def _make(self, key: str, wish: Wish, *, in_background: bool = False) -> Fetch[V]:
        return Fetch(key, wish.tags, self._first.guard(), in_background=in_background)

    def _start(self, fetch: Fetch[V], function: Fetcher[V], wish: Wish, *, enough: float) -> None:
        run = Run(self._parts, fetch, function, wish, enough=enough)
        task = self._parts.tasks.start(run(), f"fetch {fetch.key}")
        fetch.stop = task.cancel


def not_enough(wish: Wish) -> float:
    """Return the seconds left of a value when it is due for an eager refresh; 0 if never."""
    eager = wish.policy.eager
    return 0.0 if eager is None or wish.ttl == float("inf") else (1 - eager) * wish.ttl


def counts(outcome: Outcome, fetch: Fetch[V], epoch: int) -> bool:
    """Whether an outcome is one for who came at ``epoch``, or they have to try again.

    Who came after something was invalidated must not get what was read before.
    """
    if outcome.again or (outcome.outdated and epoch != fetch.guard.epoch):
        return False
    return outcome.found or outcome.error is not None


def result(outcome: Outcome) -> V:  # type: ignore[type-var]
    """Return the value, or raise the error, as if nobody else had raised it."""
    if outcome.error is not None:
        raise outcome.error.with_traceback(outcome.trace)
    value: V = outcome.value
    return value
