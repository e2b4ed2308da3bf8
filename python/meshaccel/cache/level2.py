"""What a second level of a cache is: a store that outlives processes, or is shared by them.

Soundness rests on one counter per namespace. Every invalidation takes the next number and
notes it with the tags (or keys) it names; every entry carries the number that was current
before the first read its value depends on. An entry counts only if none of its tags, nor its
key, was noted with a later number: no clocks, no sets of keys, one round trip.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct


class Version(Struct, frozen=True, order=True):
    """A moment in the life of a namespace: numbers are comparable within one incarnation.

    A store that was lost, or flushed, begins another incarnation; nothing of a former one
    counts.
    """

    incarnation: bytes
    number: int


UNKNOWN: Final = Version(b"", 0)
"""The version of a second level that cannot be asked now. Nothing can be stored with it."""


class Wanted(Struct, frozen=True):
    """A key to be read, with tags that its reader knows of.

    An entry that was stored without them counts as tagged with them all the same.
    """

    key: str
    tags: tuple[str, ...] = ()


class StoredEntry(Struct, frozen=True):
    """An entry as the second level holds it."""

    payload: bytes
    tags: tuple[str, ...]
    version: Version
    """Current before the first read that the value depends on."""
    fresh_until: float
    """Unix seconds; ``math.inf`` for ever. Later, it may only be served by fail-safe."""
    kept_until: float
    """Unix seconds at which it goes; ``math.inf`` for ever. Not before ``fresh_until``."""
    expired: bool = False
    """Whether one of its tags was expired since (``expire_by_tag``): as if no longer fresh."""
    validator: str | None = None
    """What a conditional refresh compares: an ETag, for example."""


class Reading(Struct, frozen=True):
    """What was found, in the order that was asked."""

    version: Version
    """The present: what is computed after this reading carries it."""
    entries: tuple[StoredEntry | None, ...]
    """None: there is no such entry, or it, or one of its tags, was invalidated since."""


class Level2(Protocol):
    """A second level. Every method is one round trip, whatever the number of keys and tags.

    Raises:
        SecondLevelError: the store cannot be used now.
    """

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up entries and the present version."""

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry unless it would be stale at once, or something newer is there.

        False only if it was refused for that; an entry that there is no room for is dropped.
        """

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store an entry as the newest of its key, whatever is there: ``set``.

        The entry's own version is ignored; the one it got is returned.
        """

    async def delete(self, keys: Sequence[str]) -> Version:
        """Forget keys, and refuse what was computed before."""

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """Let no entry with one of these tags ever be served again. O(tags), not O(entries)."""

    async def expire(self, tags: Sequence[str]) -> Version:
        """Let entries with one of these tags be served by fail-safe only."""

    async def clear(self) -> Version:
        """Forget everything in the namespace."""

    async def close(self) -> None:
        """Let go of connections. The store itself stays."""


class Codec(Protocol):
    """Turns values into what a second level stores."""

    def encode(self, value: Any, /) -> bytes:
        """Return the payload of a value.

        Raises:
            CodecError: It cannot be expressed.
        """

    def decode(self, payload: bytes, /) -> Any:
        """Return the value of a payload.

        Raises:
            CodecError: It was written by something else. To a cache this is a miss.
        """


class Invalidation(Struct, frozen=True):
    """What a backplane tells the other nodes."""

    version: Version
    """``UNKNOWN`` if there is no second level, or it could not say: tells nothing of gaps."""
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    cleared: bool = False


class Backplane(Protocol):
    """Tells nodes of each other's invalidations, at once but without a guarantee.

    A subscriber that sees a number missing, another incarnation, or a disconnect, must take
    everything in its first level for unverified until the second level says otherwise.
    """

    @property
    def connected(self) -> bool:
        """Whether messages arrive now. Changes before ``lost`` is called."""

    async def publish(self, invalidation: Invalidation) -> None:
        """Tell the other nodes; this one does not hear of it."""

    def subscribe(self, listener: "BackplaneListener") -> None:
        """Be told from now on. Called from the event loop of the backplane."""

    async def close(self) -> None:
        """Stop."""


class BackplaneListener(Protocol):
    """Who is told."""

    def invalidated(self, invalidation: Invalidation) -> None:
        """Another node has invalidated something."""

    def lost(self) -> None:
        """Messages may have been missed; called at every connect and disconnect."""


def wanted(keys: Iterable[str]) -> list[Wanted]:
    """Return keys without tags."""
    return [Wanted(key) for key in keys]
