"""The compiled half of meshaccel. Import the public faces instead (``meshaccel.grouping``)."""

from collections.abc import Callable, Iterable
from types import GenericAlias
from typing import Final, Generic, Self, TypeVar, final, overload

from meshaccel.cache.stats import CacheStats
from meshaccel.shape import Row, Shape

__all__ = ["Flight", "RowGrouper", "TagCache", "__version__"]

_V = TypeVar("_V")
_D = TypeVar("_D")

__version__: Final[str]
"""Version of the Rust crates, equal to the version of the Python distribution."""

@final
class RowGrouper:
    """Folds the rows of one shape into nested dicts. The face is ``meshaccel.grouping``."""

    def __new__(cls, shape: Shape) -> RowGrouper: ...
    def group(self, rows: Iterable[Row], /) -> list[dict[str, object]]:
        """Fold rows into one dict per distinct key, in first-seen order.

        Takes O(values) time and memory. Other threads get the GIL after
        ``sys.getswitchinterval()`` seconds, as in a loop in Python; signal handlers run too.

        Raises:
            GroupingError: A row does not fit the shape.
        """

@final
class TagCache(Generic[_V]):
    """Values by key, dropped by tag, bounded. The face is ``meshaccel.cache``.

    Keys and tags are exactly ``str``, values any objects, which are shared, not copied. The
    cache holds at most ``max_entries`` entries (0 to 2**32 - 1), and if ``max_bytes`` is given,
    entries whose sizes sum up to that at most. Who has to leave is decided by S3-FIFO (Yang et
    al., SOSP 2023) with a threshold of one hit: one-time visitors leave early, and a scan does
    not empty the cache.

    Args:
        max_entries: The number of entries held at most.
        max_bytes: The sum of the sizes of entries held at most.
        ttl: Seconds after which entries expire, unless ``set`` says otherwise. None and
            ``math.inf`` are for ever.
        idle_ttl: Seconds after their last use after which entries expire.
        jitter: Share of ``ttl`` (0 to 1) by which it is shortened at random, so that what was
            stored together does not expire together.
        weigh: Returns the size of an entry from key and value; ``sys.getsizeof`` of both if
            None. Asked only if there is ``max_bytes`` and ``set`` does not say.
        clock: Returns seconds that never go back. None is a clock of the system that ticks
            every few milliseconds, so entries may live that much too long.
        seed: Of the random numbers for ``jitter``.

    Safe to share between threads and event loops, to be used by finalisers of its own values,
    and after ``os.fork``. It starts no thread. The tag index is exact: every way an entry
    leaves takes it out of its tags in O(tags). Entries that have expired leave when they are
    read, by and by with writes, or with ``sweep``.

    Raises:
        CacheOptionError: An option is out of its range.
    """

    def __new__(
        cls,
        max_entries: int,
        *,
        max_bytes: int | None = None,
        ttl: float | None = None,
        idle_ttl: float | None = None,
        jitter: float = 0.0,
        weigh: Callable[[str, _V], int] | None = None,
        clock: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> Self: ...
    @overload
    def get(self, key: str, default: None = None, /) -> _V | None: ...
    @overload
    def get(self, key: str, default: _D, /) -> _V | _D:
        """Return the value of ``key``, or ``default``. O(1).

        Raises:
            CacheNameError: ``key`` is not exactly a str.
        """

    @overload
    def get_many(self, keys: Iterable[str], default: None = None, /) -> list[_V | None]: ...
    @overload
    def get_many(self, keys: Iterable[str], default: _D, /) -> list[_V | _D]:
        """Return the values of ``keys``, in their order, with ``default`` for each miss.

        Raises:
            CacheNameError: One of ``keys`` is not exactly a str.
        """

    def set(
        self,
        key: str,
        value: _V,
        tags: Iterable[str] = (),
        *,
        ttl: float | None = None,
        idle_ttl: float | None = None,
        since: Flight | None = None,
        size: int | None = None,
    ) -> bool:
        """Store ``value``; return whether it was stored. O(tags), old ones and new.

        What ``since`` says it was computed in refuses it if meanwhile the key was deleted or
        set outside of flights, one of its tags invalidated, or the cache cleared; or if the
        flight has ended. A value larger than ``max_bytes`` is refused, and the one it was to
        replace is dropped.

        Args:
            key: The key.
            value: The value.
            tags: What it was derived from.
            ttl: Seconds to live; None is what the cache says, ``math.inf`` for ever.
            idle_ttl: Seconds to live after the last use.
            since: The flight that was begun before the first read the value depends on.
            size: What it counts towards ``max_bytes``.

        Raises:
            CacheNameError: The key or a tag is not exactly a str.
            CacheOptionError: A time to live is not positive.
            ForeignFlightError: The flight was begun by another cache.
        """

    def touch(
        self, key: str, /, *, ttl: float | None = None, idle_ttl: float | None = None
    ) -> bool:
        """Give an entry a new time to live from now on; return whether there is one."""

    def ttl(self, key: str, /) -> float | None:
        """Return the seconds an entry has left, ``math.inf`` for ever, None if there is none."""

    def delete(self, key: str, /) -> bool:
        """Drop an entry, and outlive the flights it may be computed in; whether it was there."""

    def invalidate_by_tag(self, *tags: str) -> int:
        """Drop every entry that carries one of ``tags``; return how many those were.

        The count includes entries that had expired unnoticed: it is the difference of ``len``.
        Returns after at most 512 entries; of more, the rest is not to be found from now on and
        its memory is released with later writes, or by ``sweep``. Only until then, another
        call looks at each entry of its tags to count it once.
        """

    def sweep(self) -> int:
        """Drop all that has expired or was invalidated; return the number of values dropped.

        Other threads run meanwhile as in a loop in Python.
        """

    def clear(self) -> None:
        """Drop every entry, and outlive every flight."""

    def flight(self) -> Flight:
        """Begin a flight, to be used in ``with``, before the first read of a computation."""

    @property
    def epoch(self) -> int:
        """A number that every invalidation, deletion and ``set`` outside of flights raises."""

    def keys(self) -> list[str]:
        """Return the keys: newcomers, then the others, each in the order they would leave in."""

    def stats(self) -> CacheStats:
        """Return counts since the start, and what there is now."""

    def validate(self) -> None:
        """Check all inner structures against each other, in O(everything), for tests.

        Raises:
            AssertionError: The cache is broken.
        """

    def __contains__(self, key: str, /) -> bool: ...
    def __len__(self) -> int: ...
    def __class_getitem__(cls, key: object) -> GenericAlias: ...

@final
class Flight:
    """A computation under way: knows what was changed since it began.

    While flights are under way, changes are noted: at most 65,536 for a cache, and a flight
    that began before older ones counts as outlived.
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def end(self) -> None:
        """End the flight: nothing can be stored in it any more. Ending it twice is no error."""

    def outlived(self, tags: Iterable[str], key: str | None = None) -> bool:
        """Whether a value of these tags, and of this key, may derive from what has changed."""

    @property
    def epoch(self) -> int:
        """The epoch of the cache when the flight began."""
