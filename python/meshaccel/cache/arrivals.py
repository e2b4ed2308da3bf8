"""What becomes of a value that arrives: from the second level, from a function, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meshaccel.cache.context import FetchContext
from meshaccel.cache.counters import Counters
from meshaccel.cache.fetches import Fetch, Outcome
from meshaccel.cache.first_level import FirstLevel, Guard, Kept
from meshaccel.cache.level2 import UNKNOWN, StoredEntry, Version
from meshaccel.cache.policy import CachePolicy
from meshaccel.cache.second_level import SecondLevel
from meshaccel.clock import Clock

V = TypeVar("V")


@dataclass(slots=True, frozen=True, eq=False)
class Wish:
    """What a caller says of the value it wants."""

    policy: CachePolicy
    tags: frozenset[str]
    ttl: float


class Arrivals(Generic[V]):
    """Judges and stores.

    Args:
        first: The first level.
        second: The second level.
        counters: Where to count.
        clock: The time: that of the day for the second level, which other machines share.
        freeze: Applied to each value before it is stored or served.
        trust: How long the first level may answer now without asking the second.
    """

    def __init__(
        self,
        first: FirstLevel[V],
        second: SecondLevel[V],
        counters: Counters,
        *,
        clock: Clock,
        freeze: Callable[[V], V] | None,
        trust: Callable[[], float],
    ) -> None:
        self._first = first
        self._second = second
        self._counters = counters
        self._clock = clock
        self._freeze = freeze
        self._trust = trust

    def promote(self, key: str, entry: StoredEntry, wish: Wish, guard: Guard) -> Kept[V] | None:
        """Take an entry of the second level into the first, for the time that it has left."""
        decoded = self._second.decode(entry)
        if decoded is None:
            return None
        left = entry.fresh_until - self._unix()
        keep = min(wish.policy.kept, entry.kept_until - entry.fresh_until)
        tags = wish.tags.union(entry.tags)
        kept = self._kept(decoded[0], tags, left, wish.policy, entry.validator)
        kept.expired = entry.expired
        self._store(key, kept, guard, keep=keep, policy=wish.policy)
        return kept

    def fetched(
        self, fetch: Fetch[V], value: V, context: FetchContext[V], wish: Wish, version: Version
    ) -> tuple[Outcome, StoredEntry | None]:
        """Store what a function returned; return an entry to be written to the second level.

        Raises:
            CacheNameError: The function named a tag that is none.
            CacheOptionError: The function gave a time to live that is none.
        """
        tags, ttl = context.told()
        tags |= fetch.asked
        fetch.tags = tags
        if not ttl:
            outdated = fetch.guard.outdated(tags, fetch.key)
            return Outcome(value, found=True, outdated=outdated), None
        kept = self._kept(value, tags, ttl, wish.policy, context.validator)
        keep = wish.policy.kept
        outdated = self._store(fetch.key, kept, fetch.guard, keep=keep, policy=wish.policy)
        self._counters.outdated += outdated
        outcome = Outcome(kept.value, found=True, outdated=outdated)
        if version == UNKNOWN:
            return outcome, None
        # Outdated or not: the second level knows by the version whether it counts. It does if all
        # that happened was that a backplane began to listen.
        return outcome, self.entry(kept, ttl, keep, version)

    def failed(self, fetch: Fetch[V], error: Exception, old: Kept[V] | None, wish: Wish) -> Outcome:
        """Return the old value if there is one that may be served, else the error."""
        policy, guard, key = wish.policy, fetch.guard, fetch.key
        now = self._clock.monotonic()
        if old is not None and not guard.forbidden(old.tags, key):
            old.retry_at = now + policy.retry_after
            if old.spare(policy, now):
                self._counters.failed_safe += 1
                return Outcome(old.value, found=True, outdated=guard.outdated(old.tags, key))
        serves = old is not None and (old.fresh(now) or old.stale(policy, now))
        if policy.negative_ttl and isinstance(error, policy.negative) and not serves:
            self._first.fail(key, error, fetch.tags, guard, policy.negative_ttl)
        outdated = guard.outdated(fetch.tags, key)
        return Outcome(error=error, trace=error.__traceback__, outdated=outdated)

    def given(self, value: V, wish: Wish) -> Kept[V]:
        """Return what is to be stored for a value that is set."""
        return self._kept(value, wish.tags, wish.ttl, wish.policy, None)

    def entry(self, kept: Kept[V], ttl: float, keep: float, version: Version) -> StoredEntry | None:
        """Return a value as the second level stores it; None if it cannot."""
        payload = self._second.encode(kept.value)
        if payload is None:
            return None
        fresh_until = self._unix() + ttl
        return StoredEntry(
            payload=payload,
            tags=tuple(sorted(kept.tags)),
            version=version,
            fresh_until=fresh_until,
            kept_until=fresh_until + keep,
            validator=kept.validator,
        )

    def _kept(
        self, value: V, tags: frozenset[str], ttl: float, policy: CachePolicy, validator: str | None
    ) -> Kept[V]:
        if self._freeze is not None:
            value = self._freeze(value)
        now = self._clock.monotonic()
        trusted = min(ttl, policy.l1_ttl, self._trust())
        return Kept(value, tags, now + trusted, now + ttl, validator)

    def _store(
        self, key: str, kept: Kept[V], guard: Guard, *, keep: float, policy: CachePolicy
    ) -> bool:
        eager = 1.0 if policy.eager is None else policy.eager
        return self._first.store(key, kept, guard, keep=keep, eager=eager)

    def _unix(self) -> float:
        return self._clock.now_us() / 1e6
