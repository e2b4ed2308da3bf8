"""A cache of two levels whose values know what they were derived from.

::

    cache = HierarchicalCache[Page](TagCache(10_000), policy=CachePolicy(ttl=60, fail_safe=3600))
    page = await cache.get("page:1", lambda: read_page(1), tags=["agent:a"])
    ...
    await cache.invalidate_by_tag("agent:a")
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Self, TypeVar, overload

from meshaccel._native import TagCache, ready
from meshaccel.cache.arrivals import Wish
from meshaccel.cache.cached import Decorator, Key, Tags, decorator
from meshaccel.cache.changes import Changes
from meshaccel.cache.codec import MsgpackCodec
from meshaccel.cache.context import Fetcher, distinct_keys, exact_tags
from meshaccel.cache.counters import HierarchicalStats
from meshaccel.cache.fetching import BulkFetcher, Fetching, bulk, single
from meshaccel.cache.level2 import Backplane, Codec, Level2
from meshaccel.cache.miss import MISS
from meshaccel.cache.parts import Parts
from meshaccel.cache.policy import CachePolicy
from meshaccel.cache.second_level import ErrorHook
from meshaccel.clock import Clock, SystemClock
from meshaccel.errors import CacheOptionError

V = TypeVar("V")
D = TypeVar("D")

_DEFAULT = CachePolicy()


class HierarchicalCache(Generic[V]):
    """Values by key: in this process, in a store that outlives it, or from where they come.

    A read that starts after ``invalidate_by_tag``, ``delete`` or ``set`` has returned never sees
    what was there before, nor does anything that was computed before find its way back. Values
    on their way are fetched once for all who want them. To be used from any number of tasks,
    threads and event loops; a second level or a backplane may belong to one loop.

    Args:
        l1: The first level; None is none. The times to live of its own are not used, nor does
            it matter whether other caches use it, if they have a ``namespace`` each. Without a
            second level it may also be changed directly, where nothing can be awaited.
        l2: The second level; wrapped in a ``ResilientL2`` if it is none. It is closed with the
            cache.
        codec: What values are stored as in the second level; MessagePack if None.
        backplane: Tells of the invalidations of other nodes, from ``async with`` on. Without
            one, they are noticed when a value has been in the first level for ``l1_ttl``.
        namespace: Begins all keys, with a colon. Tags are those of all namespaces.
        policy: How long values count, and what is served when they no longer do.
        copy: Applied to every value that is served, ``copy.deepcopy`` for example. Without it,
            all callers share the values of the first level and must not change them.
        freeze: Applied to every value that is stored, so that nobody can change it.
        old_entries: How many values, and errors, are kept at most in case of need. They are
            kept only if the policy has a use for them.
        deaf_ttl: ``l1_ttl`` while the backplane is not connected, in seconds.
        background_writes: Whether a fetched value is returned before the second level has it.
            By default it is not: callers are slowed down when the second level is slow, and the
            value is not lost if the process ends.
        on_l2_error: Told what was tried and how it failed, when the second level does not work.
            Callers are not, unless this raises an error.
        clock: The time.
    """

    def __init__(  # noqa: PLR0913 - options, all with a default
        self,
        l1: TagCache[V] | None,
        l2: Level2 | None = None,
        *,
        codec: Codec | None = None,
        backplane: Backplane | None = None,
        namespace: str = "",
        policy: CachePolicy = _DEFAULT,
        copy: Callable[[V], V] | None = None,
        freeze: Callable[[V], V] | None = None,
        old_entries: int = 10_000,
        deaf_ttl: float = 1.0,
        background_writes: bool = False,
        on_l2_error: ErrorHook | None = None,
        clock: Clock | None = None,
    ) -> None:
        parts = Parts(
            l1,
            l2,
            codec=codec or MsgpackCodec(),
            backplane=backplane,
            freeze=freeze,
            copy=copy,
            old_entries=old_entries,
            deaf_ttl=deaf_ttl,
            background_writes=background_writes,
            on_l2_error=on_l2_error,
            clock=clock or SystemClock(),
        )
        self._set_up(parts, policy, f"{namespace}:" if namespace else "", frozenset())

    def _set_up(
        self, parts: Parts[V], policy: CachePolicy, prefix: str, parents: frozenset[str]
    ) -> None:
        self._parts = parts
        self._policy = policy
        self._prefix = prefix
        self._own_tags = parents | {f"namespace:{prefix}"} if prefix else parents
        self._fetching = Fetching(parts)
        self._changes = Changes(parts)
        self._peek = self._peeker()
        if not prefix and parts.copy is None and type(self).get is HierarchicalCache.get:
            # What `get` does as well, but in one native call if there is a value.
            missed: Callable[..., Awaitable[V]] = self._get_slowly  # type: ignore[assignment]
            vars(self)["get"] = parts.first.fresh.reader(missed)

    def namespace(self, name: str, policy: CachePolicy | None = None) -> "HierarchicalCache[V]":
        """Return a cache of its own within this one: other keys, same levels, same tags."""
        cache = HierarchicalCache.__new__(type(self))
        cache._set_up(  # noqa: SLF001 - it is one of us
            self._parts, policy or self._policy, f"{self._prefix}{name}:", self._own_tags
        )
        return cache

    async def __aenter__(self) -> Self:
        if self._parts.backplane is not None:
            self._parts.backplane.subscribe(self._changes)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is done in the background; close the backplane and the second level.

        The first level goes on answering, and functions go on being called for the rest.
        """
        parts = self._parts
        parts.closed = True
        await parts.tasks.finish()
        backplane, parts.backplane = parts.backplane, None
        store, parts.second.store = parts.second.store, None
        if backplane is not None:
            self._changes.lost()
            await backplane.close()
        if store is not None:
            await store.close()

    @overload
    def get_now(self, key: str, default: None = None) -> V | None: ...
    @overload
    def get_now(self, key: str, default: D) -> V | D: ...
    def get_now(self, key: str, default: D | None = None) -> V | D | None:
        """Return the value of ``key`` if the first level has it, else ``default``.

        Raises:
            CacheNameError: ``key`` is not exactly a str.
        """
        return self._peek(key, default)

    @overload
    def get(
        self, key: str, /, fetch_fn: None = None, *, tags: Iterable[str] = ()
    ) -> Awaitable[V | None]: ...
    @overload
    def get(
        self, key: str, /, fetch_fn: None = None, *, default: D, tags: Iterable[str] = ()
    ) -> Awaitable[V | D]: ...
    @overload
    def get(
        self,
        key: str,
        /,
        fetch_fn: Fetcher[V],
        *,
        ttl: float | None = None,
        tags: Iterable[str] = (),
    ) -> Awaitable[V]: ...
    def get(
        self,
        key: str,
        /,
        fetch_fn: Fetcher[V] | None = None,
        *,
        default: D | None = None,
        ttl: float | None = None,
        tags: Iterable[str] = (),
    ) -> Awaitable[V | D | None]:
        """Return the value of ``key``, to be awaited; at once if the first level has it.

        Args:
            key: The key.
            fetch_fn: Called if there is no value, once for all who wait for it. It may be async
                or not, and take a ``FetchContext``.
            default: What to return if there is no value, and no ``fetch_fn``.
            ttl: Seconds for which what is fetched is fresh.
            tags: What it depends on. A value in the second level counts as tagged with them.

        Raises:
            CacheNameError: The key or a tag is not exactly a str.
            FetchTimeoutError: It took longer than ``hard_timeout``.
            Exception: What ``fetch_fn`` raises, if no old value may be served instead.
        """
        value = self._peek(key, MISS)
        if value is not MISS:
            return ready(value)
        return self._get_slowly(key, fetch_fn, default=default, ttl=ttl, tags=tags)

    async def _get_slowly(
        self,
        key: str,
        /,
        fetch_fn: Fetcher[V] | None = None,
        *,
        default: D | None = None,
        ttl: float | None = None,
        tags: Iterable[str] = (),
    ) -> V | D | None:
        full = self._prefix + key
        source = None if fetch_fn is None else single(fetch_fn)
        found = await self._fetching.read([full], source, self._wish(ttl, tags))
        return self._served(found[full]) if full in found else default

    async def get_many(
        self,
        keys: Iterable[str],
        fetch_many: BulkFetcher[V] | None = None,
        *,
        ttl: float | None = None,
        tags: Iterable[str] = (),
        tags_of: Callable[[str, V], Iterable[str]] | None = None,
    ) -> dict[str, V]:
        """Return the values of ``keys``, those that exist, in one trip for all of them.

        Args:
            keys: The keys.
            fetch_many: Called with the list of keys that are nowhere to be found, and not being
                fetched already; returns their values by key. Those it leaves out do not exist.
            ttl: Seconds for which what is fetched is fresh.
            tags: What all of them depend on.
            tags_of: Returns, from a key and its value, what else that depends on.

        Raises:
            CacheNameError: A key or a tag is not exactly a str.
            Exception: What ``fetch_many`` raises, if it is needed for one key at least.
        """
        wanted = distinct_keys(keys)
        found = {key: self._peek(key, MISS) for key in wanted}
        missing = [self._prefix + key for key, value in found.items() if value is MISS]
        if missing:
            source = None if fetch_many is None else bulk(fetch_many, tags_of, self._prefix)
            more = await self._fetching.read(missing, source, self._wish(ttl, tags))
            for key, value in more.items():
                found[key.removeprefix(self._prefix)] = self._served(value)
        return {key: value for key, value in found.items() if value is not MISS}

    async def warm_up(
        self,
        keys: Iterable[str],
        fetch_many: BulkFetcher[V] | None = None,
        *,
        batch: int = 100,
        ttl: float | None = None,
        tags: Iterable[str] = (),
        tags_of: Callable[[str, V], Iterable[str]] | None = None,
    ) -> int:
        """Bring values into the first level, some at a time; return how many exist.

        The arguments are those of ``get_many``. Without ``fetch_many``, what the second level
        holds is brought.

        Raises:
            CacheOptionError: ``batch`` is below 1.
            CacheNameError: A key or a tag is not exactly a str.
            Exception: What ``fetch_many`` raises; what was brought before stays.
        """
        if batch < 1:
            raise CacheOptionError("batch", "at least 1", batch)
        wanted, tags = distinct_keys(keys), tuple(tags)
        count = 0
        for start in range(0, len(wanted), batch):
            part = wanted[start : start + batch]
            found = await self.get_many(part, fetch_many, ttl=ttl, tags=tags, tags_of=tags_of)
            count += len(found)
        return count

    async def set(
        self, key: str, value: V, tags: Iterable[str] = (), *, ttl: float | None = None
    ) -> None:
        """Store a value in both levels as the newest. What is being fetched is outdated by it.

        Raises:
            CacheNameError: The key or a tag is not exactly a str.
            CacheOptionError: ``ttl`` is not positive.
        """
        await self._changes.set(self._full(key), value, self._wish(ttl, tags))

    async def delete(self, *keys: str) -> None:
        """Forget keys in both levels, and refuse what is being fetched for them.

        Raises:
            CacheNameError: A key is not exactly a str.
        """
        await self._changes.delete([self._full(key) for key in keys])

    async def invalidate_by_tag(self, *tags: str) -> int:
        """Let no value that carries one of ``tags`` be served again, whatever fails meanwhile.

        In all namespaces. Return how many values of the first level it were. O(those); in the
        second level O(tags).

        Raises:
            CacheNameError: A tag is not exactly a str.
        """
        return await self._changes.invalidate(tuple(exact_tags(tags)))

    async def expire_by_tag(self, *tags: str) -> int:
        """Let values that carry one of ``tags`` be served by fail-safe only.

        In all namespaces. Return how many values of the first level it were. O(those).

        Raises:
            CacheNameError: A tag is not exactly a str.
        """
        return await self._changes.expire(tuple(exact_tags(tags)))

    async def clear(self) -> None:
        """Forget everything in this namespace, and in those within it.

        Takes O(values) in the first level, and one trip to the second, however many are there.
        """
        if self._prefix:
            await self._changes.invalidate([f"namespace:{self._prefix}"])
        else:
            await self._changes.clear()

    def cached(self, *, key: Key, ttl: float | None = None, tags: Tags = ()) -> Decorator[V]:
        """Return a decorator for functions whose values are to be cached.

        ::

            @cache.cached(key="agent:{agent_id}", tags=["agent:{agent_id}", "fleet"])
            async def agent(agent_id: str) -> Agent: ...

        Args:
            key: The key: a template for ``str.format``, or a function, of the arguments.
            ttl: Seconds for which values are fresh.
            tags: What values depend on: templates, or a function of the arguments.
        """
        return decorator(self, key=key, ttl=ttl, tags=tags)

    def stats(self) -> HierarchicalStats:
        """Return counts since the start: of this cache with all of its namespaces."""
        parts = self._parts
        return parts.counters.report(parts.first.fresh.stats(), len(parts.fetches))

    def _peeker(self) -> Callable[[str, D], V | D]:
        """Return what looks in the first level, with no more steps than it takes."""
        get, prefix, copy = self._parts.first.fresh.get, self._prefix, self._parts.copy
        if copy is None:
            if not prefix:
                return get
            return lambda key, default: get(prefix + key, default)

        def peek(key: str, default: D) -> V | D:
            value = get(prefix + key, MISS)
            return default if value is MISS else copy(value)

        return peek

    def _served(self, value: V) -> V:
        return value if self._parts.copy is None else self._parts.copy(value)

    def _full(self, key: str) -> str:
        self._peek(key, None)
        return self._prefix + key

    def _wish(self, ttl: float | None, tags: Iterable[str]) -> Wish:
        if ttl is not None and not ttl > 0:
            raise CacheOptionError("ttl", "a positive number of seconds", ttl)
        known = exact_tags(tags) | self._own_tags
        return Wish(self._policy, known, self._policy.ttl if ttl is None else ttl)
