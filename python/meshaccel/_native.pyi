"""The compiled half of meshaccel. Import the public faces instead (``meshaccel.grouping``)."""

from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from types import GenericAlias, TracebackType
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    Never,
    ParamSpec,
    Self,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    final,
    overload,
)

from meshaccel.cache.stats import CacheStats
from meshaccel.shape import Row, Shape

__all__ = [
    "Flight",
    "GroupStream",
    "LazyJson",
    "MetadataList",
    "MetadataPool",
    "MetadataStats",
    "MetadataView",
    "Ready",
    "RowGrouper",
    "TagCache",
    "__version__",
    "json_depth",
    "ready",
    "restore_metadata",
]

__version__: Final[str]
"""Version of the Rust crates, equal to the version of the Python distribution."""

@final
class RowGrouper:
    """Folds the rows of one shape into nested dicts. The face is ``meshaccel.grouping``."""

    def __new__(cls, shape: Shape, max_rows: int | None = None) -> RowGrouper: ...
    def group(self, rows: Iterable[Row], /) -> list[dict[str, Any]]:
        """Fold rows into one dict per distinct key, in first-seen order."""
    def group_json(
        self, rows: Iterable[Row], /, default: Callable[[Any], object] | None = None
    ) -> bytes:
        """Fold rows into the JSON of what ``group`` makes of them."""
    def stream(
        self, *, ordered: bool = False, into: Literal["dicts", "json"] | None = None
    ) -> GroupStream:
        """Begin a stream of rows of its own."""

@final
class GroupStream:
    """Folds rows that come little by little. ``RowGrouper.stream`` makes one.

    A row is taken as a whole or not at all: one that is refused leaves no trace but its number,
    those before it stay, and the stream goes on. Row numbers count from 0 over all calls of
    ``feed`` until ``finish``, for each level by itself.

    Every method raises ``StreamBusyError`` while another call is at work, be it in another
    thread or further up, where the rows or their values run code of their own.
    """

    def feed(self, rows: Iterable[Row], /, level: str | None = None) -> list[dict[str, Any]]:
        """Take rows, and return the records that an ordered stream has finished.

        If a row is refused, the records finished before it are returned by the next call.

        Args:
            rows: As for ``RowGrouper.group``.
            level: Whose statement the rows are of: "" for the outermost records, or the path of
                a collection. Each row begins with the keys of its ancestors, which must have been
                fed before. By default the rows are of the joined statement.

        Raises:
            GroupingError: A row does not fit.
            ValueError: No collection is called so, its rows cannot tell their parents because
                one above has no key, or the stream is ordered, which only joined rows are.
        """
    def finish(self) -> list[dict[str, Any]]:
        """Return the records not returned yet, and begin anew. After an error nothing is lost.

        Raises:
            ValueError: The stream was begun for JSON.
        """
    def finish_json(self, default: Callable[[Any], object] | None = None) -> bytes:
        """Return the records as ``RowGrouper.group_json`` does, and begin anew.

        After an error nothing is lost: try again with another ``default``, or ``finish``.

        Raises:
            GroupingError: A value has no JSON form, or a lazy document is not valid.
            ValueError: The stream is ordered, or was begun for dicts.
        """

@final
class LazyJson:
    """A stored JSON document that is decoded, and thereby validated, on first access.

    It indexes, iterates, compares and prints like the document, and is not hashable. It is only
    made by grouping, from columns with the policy "lazy". Each access may raise
    ``InvalidJsonError``, which names row, column and key of the record. Threads may share it.
    """

    @property
    def value(self) -> Any:
        """The document as plain objects: always the same ones, made on first access.

        Changing them changes what this object looks like, but neither ``raw`` nor its copies.
        """
    @property
    def raw(self) -> bytes:
        """The document as stored, in UTF-8, validated. Takes O(length) time on each access."""
    @property
    def keys(self) -> Callable[[], KeysView[str]]:
        """``dict.keys`` of an object; any other document has no such attribute."""
    @property
    def values(self) -> Callable[[], ValuesView[Any]]:
        """``dict.values`` of an object; any other document has no such attribute."""
    @property
    def items(self) -> Callable[[], ItemsView[str, Any]]:
        """``dict.items`` of an object; any other document has no such attribute."""
    @property
    def get(self) -> Callable[..., Any]:
        """``dict.get`` of an object; any other document has no such attribute."""
    def __getitem__(self, index: Any, /) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __contains__(self, item: object, /) -> bool: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __copy__(self) -> LazyJson: ...
    def __deepcopy__(self, memo: object, /) -> LazyJson: ...

_T = TypeVar("_T")
_Digest: TypeAlias = Literal["xxh3", "sha256"]

@final
class MetadataPool:
    """Values that exist once, however many hold them. The face is ``meshaccel.metadata``.

    Values are what JSON knows, with Python's integers and floats: None, bool, int, float, str,
    list and dict with keys of str, at any depth, and views of any pool. Tuples count as lists,
    subclasses as what they hold, frozendicts as dicts. The value itself is not kept: to change
    it later changes nothing.

    Keys are ints. Equal values have equal keys while they are in the pool; a key is never used
    again after it was released as often as it was handed out. Keys of one pool mean nothing to
    another one.

    All methods may be called from any thread. Whatever they raise, the pool has not changed.
    """

    def __new__(
        cls,
        *,
        max_bytes: int | None = None,
        max_nodes: int | None = None,
        max_string: int | None = None,
        max_depth: int = 1000,
        memo_bytes: int = 1_048_576,
        strict: bool = False,
        default: Callable[[Any], Any] | None = None,
        hash_bits: int = 32,
    ) -> MetadataPool:
        """Make an empty pool.

        Args:
            max_bytes: Most bytes that values take, as ``MetadataStats.bytes`` counts them, without
                the remembered JSON.
            max_nodes: Most distinct strings, numbers, lists and dicts.
            max_string: Most bytes of UTF-8 in one string, or of one integer of over 64 bits.
            max_depth: Most lists and dicts within each other; parts that are views do not count.
            memo_bytes: Bytes of JSON texts that ``intern_json`` remembers, to compare instead of
                parsing them; the eldest ones are forgotten.
            strict: Refuse tuples.
            default: Called once with each value of another type; returns what to take instead.
            hash_bits: Only for tests: with fewer bits more hashes collide, which makes the pool
                slow and nothing else.
        """

    def intern(self, metadata: Any, /) -> int:
        """Return the key of a value, which counts once more until it is released.

        Takes time linear in the size of the value, in which a view of this pool is as small as
        a number: whatever it shows is not read. Depth is counted without what is in views.

        Raises:
            MetadataTypeError: A value or a key has a type that has no place.
            MetadataDepthError: The value is nested too deeply, or contains itself.
            PoolFull: A limit would be exceeded.
        """

    def intern_json(self, text: bytes | bytearray | str, /) -> int:
        """As ``intern``, of the value that a JSON text says. No Python object is made of it.

        A text that was interned lately is compared with what is remembered, not parsed. Of the
        values of one name in an object the last one counts.

        Raises:
            InvalidMetadataJsonError: The text is no JSON, as RFC 8259 has it, or is nested more
                deeply than 200 levels, or has a number of more than 4,300 digits.
            MetadataDepthError: The value is nested more deeply than ``max_depth``.
            PoolFull: A limit would be exceeded.
        """

    def reintern(self, key: int, metadata: Any, /) -> int:
        """Return the key of a value that takes the place of the one with ``key``.

        The same as to intern the one and to release the other, but a value that is still the
        same is found to be so by comparing, which is faster.

        Raises:
            UnknownMetadataKeyError: There is no such key.
            MetadataTypeError: As for ``intern``.
            MetadataDepthError: As for ``intern``.
            PoolFull: As for ``intern``.
        """

    @overload
    def get(self, key: int, /) -> Any: ...
    @overload
    def get(self, key: int, default: _T, /) -> Any | _T:
        """Return a ``MetadataView``, a ``MetadataList`` or a scalar. Takes O(1) time.

        Raises:
            UnknownMetadataKeyError: There is no such key, and no default.
        """

    def release(self, key: int, /, *, missing: Literal["error", "ignore"] = "error") -> None:
        """Count a key less. The last time its value goes, and what only it refers to.

        Raises:
            UnknownMetadataKeyError: There is no such key, and ``missing`` is not ``"ignore"``.
        """

    def digest(self, metadata: Any, algorithm: _Digest = "xxh3") -> str:
        """Return a digest of a value: equal for equal values, everywhere and in every version.

        ``mm1:`` and 32 hexadecimal digits of XXH3-128, which does not resist forgery, or
        ``mm1-sha256:`` and 64 of SHA-256, which does. The value is not interned.

        Raises:
            MetadataTypeError: As for ``intern``.
            MetadataDepthError: As for ``intern``.
        """

    def stats(self) -> MetadataStats:
        """Return what the pool holds now. Takes O(1) time."""

    def __len__(self) -> int: ...
    def __contains__(self, key: int, /) -> bool: ...

@final
class MetadataStats:
    """What a pool holds, at one time."""

    @property
    def values(self) -> int:
        """Distinct values that have a key."""

    @property
    def references(self) -> int:
        """How often values were interned and not yet released."""

    @property
    def nodes(self) -> int:
        """Distinct strings, floats, large integers, lists and dicts."""

    @property
    def bytes(self) -> int:
        """Bytes that all of it takes, remembered JSON included."""

    @property
    def plain_bytes(self) -> int:
        """Bytes that ``json.loads`` would take for a copy for each reference (an estimate).

        Keys of dicts, which it makes once for all of them, are not counted.
        """

    @property
    def hits(self) -> int:
        """How often a value was interned that was there already."""

    @property
    def misses(self) -> int:
        """How often one was interned that was not."""

    @property
    def saved_percent(self) -> float:
        """How much less than ``plain_bytes`` the pool takes, in percent."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class MetadataView(Mapping[str, Any]):
    """A dict of a pool: a mapping that nobody can change, and that keeps what it shows.

    Values that are lists and dicts are views again. ``==`` is as strict as the pool: to a dict
    it is equal if both would have the same key. Equal views, of whatever pools, hash alike.
    Pickling makes a view in a pool of its own.
    """

    def __getitem__(self, key: str, /) -> Any: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    @overload
    def get(self, key: str, /) -> Any | None: ...
    @overload
    def get(self, key: str, default: _T, /) -> Any | _T: ...
    def keys(self) -> KeysView[str]: ...
    def values(self) -> ValuesView[Any]: ...
    def items(self) -> ItemsView[str, Any]: ...
    def to_dict(self) -> dict[str, Any]:
        """Return plain objects, which are the caller's."""

    def to_json(self) -> bytes:
        """Return the dict as JSON, in UTF-8, without spaces.

        Raises:
            NoJsonFormError: It has a NaN, an infinity, a lone surrogate or an integer of more
                than 4,300 digits.
        """

    def digest(self, algorithm: _Digest = "xxh3") -> str:
        """Return its digest, as ``MetadataPool.digest`` does."""

    def get_path(self, *path: str | int) -> Any:
        """Return the value at the end of a path of keys and indexes.

        Raises:
            KeyError: A dict has no such key, or what is there is no dict.
            IndexError: A list has no such index, or what is there is no list.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> MetadataView: ...
    def __deepcopy__(self, memo: object, /) -> MetadataView: ...
    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]: ...

@final
class MetadataList(Sequence[Any]):
    """A list of a pool: a sequence that nobody can change. Otherwise as ``MetadataView``."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Any]: ...
    def __len__(self) -> int: ...
    def __contains__(self, value: object, /) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reversed__(self) -> Iterator[Any]: ...
    def index(self, value: Any, start: int = 0, stop: int = ..., /) -> int: ...
    def count(self, value: Any, /) -> int: ...
    def to_list(self) -> list[Any]:
        """Return plain objects, which are the caller's."""

    def to_json(self) -> bytes:
        """Return the list as JSON, as ``MetadataView.to_json`` does."""

    def digest(self, algorithm: _Digest = "xxh3") -> str:
        """Return its digest, as ``MetadataPool.digest`` does."""

    def get_path(self, *path: str | int) -> Any:
        """Return the value at the end of a path, as ``MetadataView.get_path`` does."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> MetadataList: ...
    def __deepcopy__(self, memo: object, /) -> MetadataList: ...
    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]: ...

def restore_metadata(packed: bytes, /) -> Any:
    """Return a view of what ``__reduce__`` packed, in a pool of its own.

    Raises:
        ValueError: The bytes are something else.
    """

_V = TypeVar("_V")
_V_co = TypeVar("_V_co", covariant=True)
_D = TypeVar("_D")
_P = ParamSpec("_P")

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
            CacheOptionError: A time to live is not positive, or a size negative.
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

        What expired in the last 16 ms may stay.

        Other threads run meanwhile as in a loop in Python.
        """

    def clear(self) -> None:
        """Drop every entry, and outlive every flight."""

    def flight(self) -> Flight:
        """Begin a flight, to be used in ``with``, before the first read of a computation."""

    def reader(
        self, on_miss: Callable[Concatenate[str, _P], Awaitable[_V]], /
    ) -> Callable[Concatenate[str, _P], Awaitable[_V]]:
        """Return a function of a key that is to be awaited, and of whatever else.

        It returns ``ready(value)`` if there is a value of the key, in a single native call, and
        else what ``on_miss`` returns of the same arguments. Counts as ``get`` does. A key that
        is passed by keyword is not looked up.

        Raises:
            CacheNameError: The key is not exactly a str.
        """

    @property
    def epoch(self) -> int:
        """A number that every invalidation, deletion and ``set`` outside of flights raises."""

    def keys(self) -> list[str]:
        """Return the keys: newcomers, then the others, each in the order they would leave in."""

    def keys_by_tag(self, tag: str, /) -> list[str]:
        """Return the keys of the entries that carry ``tag``: those an invalidation would count.

        In no order. O(entries of the tag).

        Raises:
            CacheNameError: ``tag`` is not exactly a str.
        """

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
class Ready(Coroutine[Any, Any, _V_co]):
    """An awaitable that has its value already. ``ready`` makes them.

    To await it never suspends, so nothing else runs meanwhile and it cannot be cancelled. It may
    be awaited any number of times, also not at all. To ``gather``, ``wait_for`` and
    ``create_task`` it is a coroutine.
    """

    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    def __await__(self) -> Generator[Any, Any, _V_co]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Never:
        """Raise ``StopIteration`` with the value, as a coroutine does that returns it."""

    def send(self, value: Any, /) -> Never:
        """Raise ``StopIteration`` with the value, as a coroutine does that returns it."""

    @overload
    def throw(
        self,
        typ: type[BaseException],
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Never: ...
    @overload
    def throw(
        self, typ: BaseException, val: None = None, tb: TracebackType | None = None, /
    ) -> Never:
        """Raise what is given. The value stays."""

    def close(self) -> None:
        """Do nothing."""

def json_depth(text: bytes, /) -> int:
    """Return how many lists and dicts are open at once at the most, in valid JSON. O(length)."""

def ready(value: _V, /) -> Ready[_V]:
    """Return an awaitable of ``value``, for a fraction of the cost of a coroutine.

    ::

        def get(self, key: str) -> Awaitable[Page]:
            page = self.cache.get(key)
            return self.read(key) if page is None else ready(page)
    """

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
