"""A bounded cache whose entries name, as tags, what they were derived from."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

V = TypeVar("V")


class Flight:
    """A computation under way: remembers what was invalidated since it began."""

    __slots__ = ("everything", "stale")

    def __init__(self) -> None:
        self.everything = False
        self.stale: set[str] = set()

    def outlived(self, tags: Iterable[str]) -> bool:
        """Whether a value with these tags may have been derived from what has changed."""
        return self.everything or not self.stale.isdisjoint(tags)


class TagCache(Generic[V]):
    """Values by key, dropped by tag, least recently used first when full.

    The tag index is exact: every way an entry leaves (overwrite, eviction, deletion,
    invalidation) removes it from its tags in O(tags). For use in one thread, as from one
    event loop.
    """

    def __init__(self, max_entries: int) -> None:
        """``max_entries`` bounds the number of entries, not their size."""
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[V, tuple[str, ...]]] = OrderedDict()
        self._members: dict[str, set[str]] = {}
        self._flights: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> V | None:
        """Return the value of ``key``, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    @contextmanager
    def flight(self) -> Iterator[Flight]:
        """Enclose the reading and computing of what will be stored with ``set(since=...)``."""
        flight = Flight()
        self._flights.add(flight)
        try:
            yield flight
        finally:
            self._flights.discard(flight)

    def set(self, key: str, value: V, tags: Iterable[str], *, since: Flight | None = None) -> bool:
        """Store ``value``; return whether it was stored.

        A value computed in a flight is refused if one of its tags was invalidated while the
        flight was under way: it may have been derived from what has just changed.
        """
        tags = tuple(dict.fromkeys(tags))
        if since is not None and since.outlived(tags):
            return False
        self.delete(key)
        self._entries[key] = (value, tags)
        for tag in tags:
            self._members.setdefault(tag, set()).add(key)
        if len(self._entries) > self._max_entries:
            self.delete(next(iter(self._entries)))
        return True

    def delete(self, key: str) -> bool:
        """Drop ``key``; return whether it was there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        for tag in entry[1]:
            members = self._members[tag]
            members.discard(key)
            if not members:
                del self._members[tag]
        return True

    def invalidate_by_tag(self, *tags: str) -> int:
        """Drop every entry that carries one of ``tags``; return how many those were."""
        for flight in self._flights:
            flight.stale.update(tags)
        dropped = 0
        for tag in tags:
            for key in tuple(self._members.get(tag, ())):
                dropped += self.delete(key)
        return dropped

    def clear(self) -> None:
        """Drop every entry; what is under way may not be stored any more."""
        for flight in self._flights:
            flight.everything = True
        self._entries.clear()
        self._members.clear()
