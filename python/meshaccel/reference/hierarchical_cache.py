"""What ``meshaccel.cache.HierarchicalCache`` does, one call at a time, in plain Python."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meshaccel.cache.policy import CachePolicy

V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    value: V
    tags: frozenset[str]
    fresh_until: float
    expired: bool = False
    retry_at: float = -math.inf


@dataclass
class _Failure:
    error: Exception
    tags: frozenset[str]
    until: float


class HierarchicalCache(Generic[V]):
    """The same answers, with levels left out: nobody can tell them apart while nothing is lost.

    What is done in the background there is done here before a call returns. Nothing is ever
    evicted. Timeouts and conditional refreshes have no part in it.

    Args:
        policy: As there; ``l1_ttl`` is without a meaning.
        now: Seconds.
    """

    def __init__(self, policy: CachePolicy, now: Callable[[], float]) -> None:
        self._policy = policy
        self._now = now
        self._entries: dict[str, _Entry[V]] = {}
        self._failures: dict[str, _Failure] = {}

    def get(
        self, key: str, fetch: Callable[[], V] | None = None, tags: Iterable[str] = ()
    ) -> V | None:
        """Return the value, fetched if need be.

        Raises:
            Exception: What ``fetch`` raises, or has raised, if no old value takes its place.
        """
        now, policy, entry = self._now(), self._policy, self._entries.get(key)
        if entry is not None and not entry.expired and now < entry.fresh_until:
            due = policy.eager is not None and self._left(entry) <= (1 - policy.eager) * policy.ttl
            value = entry.value
            if fetch is not None and due and entry.retry_at <= now:
                self._refresh(key, fetch, tags)
            return value
        if fetch is None:
            return None
        if entry is not None and self._is_stale(entry):
            value = entry.value
            if entry.retry_at <= now:
                self._refresh(key, fetch, tags)
            return value
        if entry is not None and entry.retry_at > now and self._is_spare(entry):
            return entry.value
        failure = self._failures.get(key)
        if failure is not None and now < failure.until:
            raise failure.error
        return self._fetch(key, fetch, tags)

    def set(self, key: str, value: V, tags: Iterable[str] = ()) -> None:
        """Store a value."""
        self._failures.pop(key, None)
        self._entries[key] = _Entry(value, frozenset(tags), self._now() + self._policy.ttl)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._entries.pop(key, None)
        self._failures.pop(key, None)

    def invalidate_by_tag(self, *tags: str) -> None:
        """Forget all that carries one of the tags."""
        self._entries = {k: e for k, e in self._entries.items() if e.tags.isdisjoint(tags)}
        self._failures = {k: f for k, f in self._failures.items() if f.tags.isdisjoint(tags)}

    def expire_by_tag(self, *tags: str) -> None:
        """Leave all that carries one of the tags to fail-safe, which has no use for an error."""
        for entry in self._entries.values():
            entry.expired = entry.expired or not entry.tags.isdisjoint(tags)
        self._failures = {k: f for k, f in self._failures.items() if f.tags.isdisjoint(tags)}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._failures.clear()

    def _left(self, entry: _Entry[V]) -> float:
        return entry.fresh_until - self._now()

    def _is_stale(self, entry: _Entry[V]) -> bool:
        span = self._policy.stale_while_revalidate
        return span > 0 and not entry.expired and self._left(entry) + span > 0

    def _is_spare(self, entry: _Entry[V]) -> bool:
        return self._policy.fail_safe > 0 and self._left(entry) + self._policy.fail_safe > 0

    def _refresh(self, key: str, fetch: Callable[[], V], tags: Iterable[str]) -> None:
        try:
            self._fetch(key, fetch, tags)
        except Exception:  # noqa: BLE001 - nobody waits for it
            return

    def _fetch(self, key: str, fetch: Callable[[], V], tags: Iterable[str]) -> V:
        now, policy, old = self._now(), self._policy, self._entries.get(key)
        stale = policy.stale_while_revalidate
        try:
            value = fetch()
        except Exception as error:
            if old is not None:
                old.retry_at = now + policy.retry_after
                if self._is_spare(old):
                    return old.value
            serves = old is not None and not old.expired and self._left(old) > -stale
            if policy.negative_ttl and isinstance(error, policy.negative) and not serves:
                until = now + policy.negative_ttl
                self._failures[key] = _Failure(error, frozenset(tags), until)
            raise
        self.set(key, value, tags)
        return value
