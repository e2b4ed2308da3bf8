"""The first level: fresh values, which are served unasked, and old ones besides."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meshaccel._native import TagCache
from meshaccel.cache.policy import CachePolicy

V = TypeVar("V")


@dataclass(slots=True, eq=False)
class Kept(Generic[V]):
    """A value with all that is known of it; times are those of the monotonic clock."""

    value: V
    tags: frozenset[str]
    trusted_until: float
    """Later, the second level is to be asked, if there is one."""
    fresh_until: float
    """Later, a new value is to be fetched. Not before ``trusted_until``."""
    validator: str | None = None
    expired: bool = False
    """One of its tags was expired: nothing but fail-safe may serve it."""
    retry_at: float = -math.inf
    """Fetching a new one failed, and is not to be tried again until then."""

    def fresh(self, now: float) -> bool:
        """Whether it may be served as if it were new."""
        return not self.expired and now < self.trusted_until

    def stale(self, policy: CachePolicy, now: float) -> bool:
        """Whether it may be served while a new one is fetched."""
        span = policy.stale_while_revalidate
        return span > 0 and not self.expired and now < self.fresh_until + span

    def spare(self, policy: CachePolicy, now: float) -> bool:
        """Whether it may take the place of an error."""
        return policy.fail_safe > 0 and now < self.fresh_until + policy.fail_safe

    def forget(self) -> None:
        """Never serve it again."""
        self.expired = True
        self.trusted_until = self.fresh_until = self.retry_at = -math.inf

    def left(self, now: float) -> float:
        """Return for how many seconds it is fresh; not positive if it is not."""
        return 0.0 if self.expired else self.fresh_until - now


@dataclass(slots=True, eq=False)
class Failed:
    """An error that is to be raised again for a while."""

    error: Exception


class Guard:
    """Knows what was invalidated since it was made, at both places of the first level."""

    __slots__ = ("epoch", "fresh", "old")

    def __init__(self, fresh: TagCache[V], old: "TagCache[Kept[V] | Failed]") -> None:
        self.old = old.flight()
        self.fresh = fresh.flight()
        self.epoch = self.fresh.epoch

    def outdated(self, tags: Iterable[str], key: str) -> bool:
        """Whether a value of these tags, fetched since, may be a former one."""
        return self.fresh.outlived(tags, key)

    def forbidden(self, tags: Iterable[str], key: str) -> bool:
        """Whether not even fail-safe may serve it: it was invalidated, not only expired."""
        return self.old.outlived(tags, key)

    def end(self) -> None:
        """Nothing can be stored under it any more."""
        self.fresh.end()
        self.old.end()


class FirstLevel(Generic[V]):
    """Two caches: ``fresh`` answers reads at once, ``old`` says what to do when it cannot.

    A value is in ``fresh`` while no question arises, that is until its time is up, it is due
    for an eager refresh, or the second level is to be asked again. So a hit looks at no clock
    of ours. What may be needed later is in ``old`` as well, with its times.
    """

    def __init__(
        self, fresh: TagCache[V], *, old_entries: int, monotonic: Callable[[], float]
    ) -> None:
        self.fresh = fresh
        self.old: TagCache[Kept[V] | Failed] = TagCache(old_entries, clock=monotonic)
        self._monotonic = monotonic

    @property
    def epoch(self) -> int:
        """Changes with everything that outdates values under way."""
        return self.fresh.epoch

    def guard(self) -> Guard:
        """Note what is invalidated from now on."""
        return Guard(self.fresh, self.old)

    def store(self, key: str, kept: Kept[V], guard: Guard, *, keep: float, eager: float) -> bool:
        """Store a value that was fetched under ``guard``, unless it is outdated; whether it is.

        Args:
            key: The key.
            kept: The value.
            guard: Made before the first read that the value depends on.
            keep: Seconds for which it is of use after it was fresh.
            eager: The share of its time after which it is due for an eager refresh, or 1.
        """
        now = self._monotonic()
        # Into `old` first: whoever expires a tag meanwhile finds it there, or outdates `fresh`.
        if (keep or eager < 1) and (left := kept.fresh_until + keep - now) > 0:
            self.old.set(key, kept, kept.tags, ttl=left, since=guard.old)
        unasked = (kept.trusted_until - now) * eager
        if unasked > 0 and not kept.expired:
            self.fresh.set(key, kept.value, kept.tags, ttl=unasked, since=guard.fresh)
        outdated = guard.outdated(kept.tags, key)
        kept.expired = kept.expired or outdated
        return outdated

    def put(self, key: str, kept: Kept[V], guard: Guard, *, keep: float, eager: float) -> None:
        """Store what was set under ``guard``, and outdate whatever is fetched for the key.

        If something came in between, another ``set`` for example, nobody knows here which of
        both the second level holds: then it is dropped.
        """
        before = self.epoch
        outdated = guard.outdated(kept.tags, key)
        self.delete([key])
        own = self.guard()
        try:
            if not outdated and own.epoch == before + 1:  # another thread may have come between
                self.store(key, kept, own, keep=keep, eager=eager)
        finally:
            own.end()

    def find_old(self, key: str) -> Kept[V] | Failed | None:
        """Return what is known of a key that has no value to be served unasked."""
        return self.old.get(key)

    def fail(
        self, key: str, error: Exception, tags: Iterable[str], guard: Guard, ttl: float
    ) -> None:
        """Remember an error, unless it is outdated."""
        failed = Failed(error)
        # In this order: whoever expires a tag meanwhile finds it there, or outdates the guard.
        self.old.set(key, failed, tags, ttl=ttl, since=guard.old)
        if guard.outdated(tags, key) and self.old.get(key) is failed:
            self.old.delete(key)

    def invalidate(self, tags: Iterable[str]) -> int:
        """Drop values by tag, and outdate what is under way; return how many were served."""
        tags = tuple(tags)
        self.old.invalidate_by_tag(*tags)
        return self.fresh.invalidate_by_tag(*tags)

    def expire(self, tags: Iterable[str]) -> int:
        """Leave values to fail-safe; return how many were served until now. O(those)."""
        tags = tuple(tags)
        count = self.fresh.invalidate_by_tag(*tags)
        for tag in tags:
            for key in self.old.keys_by_tag(tag):
                kept = self.old.get(key)
                if isinstance(kept, Kept):
                    kept.expired = True
                elif kept is not None:  # fail-safe has no use for an error
                    self.old.delete(key)
        return count

    def delete(self, keys: Iterable[str]) -> None:
        """Drop keys, and outdate what is under way for them."""
        for key in keys:
            self.old.delete(key)
            self.fresh.delete(key)

    def clear(self) -> None:
        """Drop everything, and outdate all that is under way."""
        self.old.clear()
        self.fresh.clear()
