"""Reads that the first level cannot answer at once."""

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Generic, TypeVar

from meshaccel.cache.arrivals import Wish
from meshaccel.cache.context import FetchContext, Fetcher, call, exact_tags
from meshaccel.cache.fetches import Fetch, Outcome
from meshaccel.cache.first_level import Failed, Kept
from meshaccel.cache.level2 import UNKNOWN, Wanted
from meshaccel.cache.parts import Parts
from meshaccel.cache.run import Run, Source

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

    async def read(self, keys: Sequence[str], source: Source[V] | None, wish: Wish) -> dict[str, V]:
        """Return the values of keys that the first level does not serve unasked.

        Without a source, only those of the second level are looked for. Keys that do not exist
        are left out.
        """
        found: dict[str, V] = {}
        asked, old = [], []
        for key in keys:
            known = self._first.find_old(key)
            verdict = self._verdict(known, wish, fetches=source is not None)
            if isinstance(known, Kept) and verdict is not Verdict.ASK:
                found[key] = known.value
                if verdict is Verdict.REFRESH:
                    old.append(key)
            elif isinstance(known, Failed) and source is not None:
                self._counters.negative_hits += 1
                # Each time that it is raised would otherwise add to its traceback.
                raise known.error.with_traceback(None)
            else:
                asked.append(key)
        if source is not None and old:
            self._refresh(old, source, wish)
        if asked:
            more = (
                self._look_up(asked, wish) if source is None else self._fetched(asked, source, wish)
            )
            found.update(await more)
        return found

    def _verdict(self, known: Kept[V] | Failed | None, wish: Wish, *, fetches: bool) -> Verdict:
        if not isinstance(known, Kept):
            return Verdict.ASK
        policy, now = wish.policy, self._parts.clock.monotonic()
        failed_just_now = known.retry_at > now
        if known.fresh(now):
            is_due = known.left(now) <= due(wish) and not failed_just_now
            return Verdict.REFRESH if is_due else Verdict.SERVE
        if not fetches:
            return Verdict.ASK
        if known.stale(policy, now):
            self._counters.stale += 1
            return Verdict.SERVE if failed_just_now else Verdict.REFRESH
        if failed_just_now and known.spare(policy, now):
            self._counters.failed_safe += 1
            return Verdict.SERVE
        return Verdict.ASK

    async def _look_up(self, keys: Sequence[str], wish: Wish) -> dict[str, V]:
        """Look in the second level only. Stores that can, ask for several keys at once."""
        second, found = self._parts.second, dict[str, V]()
        if second.store is None:
            return found
        guard = self._first.guard()
        try:
            version, entries = await second.find([Wanted(key, tuple(wish.tags)) for key in keys])
            now = self._parts.clock.monotonic()
            for key, entry in zip(keys, entries, strict=True):
                if entry is not None:
                    kept = self._parts.arrivals.promote(key, entry, wish, guard)
                    if kept is not None and kept.left(now) > 0:
                        found[key] = kept.value
            self._counters.l2_hits += len(found)
            self._counters.l2_misses += len(keys) - len(found) if version != UNKNOWN else 0
            return found
        finally:
            guard.end()

    async def _fetched(self, keys: Sequence[str], source: Source[V], wish: Wish) -> dict[str, V]:
        found: dict[str, V] = {}
        tried = False
        while keys:
            epoch = self._first.epoch
            fetches, new = self._entered(keys, wish, in_background=False)
            joined = [(fetch, fetch.join(patient=not tried)) for fetch in fetches]
            if new:
                Run(self._parts, new, source, wish, enough=0.0).start()
            tried, ours = True, set(new)
            self._counters.joined += len(joined) - len(ours)
            try:
                outcomes = [await waiter for _, waiter in joined]
            finally:
                for fetch, waiter in joined:
                    fetch.leave(waiter)
            keys = []
            for fetch, outcome in zip(fetches, outcomes, strict=True):
                if unfit(outcome, fetch, epoch, is_ours=fetch in ours):
                    keys.append(fetch.key)
                elif outcome.error is not None:
                    raise outcome.error.with_traceback(outcome.trace)
                elif outcome.found:
                    found[fetch.key] = outcome.value
        return found

    def _refresh(self, keys: Sequence[str], source: Source[V], wish: Wish) -> None:
        """Fetch in the background, unless that is being done, or the cache was closed."""
        if self._parts.closed:
            return
        _, new = self._entered(keys, wish, in_background=True)
        self._counters.refreshed += len(new)
        if new:
            Run(self._parts, new, source, wish, enough=due(wish)).start()

    def _entered(
        self, keys: Sequence[str], wish: Wish, *, in_background: bool
    ) -> tuple[list[Fetch[V]], list[Fetch[V]]]:
        """Return the fetches of the keys, and which of them have to be started."""
        fetches, new = [], []
        for key in keys:
            make = partial(self._make, key, wish, in_background=in_background)
            fetch, is_new = self._parts.fetches.enter(key, wish.tags, make)
            fetches.append(fetch)
            if is_new:
                new.append(fetch)
        return fetches, new

    def _make(self, key: str, wish: Wish, *, in_background: bool) -> Fetch[V]:
        return Fetch(key, wish.tags, self._first.guard(), in_background=in_background)


def due(wish: Wish) -> float:
    """Return the seconds left of a value when it is due for an eager refresh; 0 if never is."""
    eager = wish.policy.eager
    return 0.0 if eager is None or wish.ttl == math.inf else (1 - eager) * wish.ttl


def unfit(outcome: Outcome, fetch: Fetch[V], epoch: int, *, is_ours: bool) -> bool:
    """Whether who came at ``epoch`` has to try again.

    Who came after something was invalidated must not get what was read before. And that a key
    does not exist counts only for those who asked together.
    """
    if outcome.again or (outcome.outdated and epoch != fetch.guard.epoch):
        return True
    return not (outcome.found or outcome.error is not None or is_ours)


def single(function: Fetcher[V]) -> Source[V]:
    """Make a source of a function that fetches one value."""

    async def source(contexts: Sequence[FetchContext[V]]) -> Mapping[str, V]:
        (context,) = contexts
        answer = call(function, context)
        return {context.key: await answer if inspect.isawaitable(answer) else answer}

    return source


BulkFetcher = Callable[[list[str]], Awaitable[Mapping[str, V]] | Mapping[str, V]]
"""Fetches several values; those that it leaves out do not exist."""


def bulk(
    function: BulkFetcher[V], tags_of: Callable[[str, V], Iterable[str]] | None, prefix: str
) -> Source[V]:
    """Make a source of a function that fetches several values by keys without the prefix."""

    async def source(contexts: Sequence[FetchContext[V]]) -> Mapping[str, V]:
        answer = function([context.key.removeprefix(prefix) for context in contexts])
        values = await answer if inspect.isawaitable(answer) else answer
        found: dict[str, V] = {}
        for context in contexts:
            key = context.key.removeprefix(prefix)
            if key in values:
                found[context.key] = value = values[key]
                if tags_of is not None:
                    context.tags |= exact_tags(tags_of(key, value))
        return found

    return source
