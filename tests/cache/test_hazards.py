"""Bugs that other caches have or had, each as a test of what happens here instead."""

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from meshaccel.cache import MISS, TagCache


class Finalised:
    """A value whose finaliser does something."""

    def __init__(self, do: Callable[[], object]) -> None:
        self.do = do

    def __del__(self) -> None:
        self.do()


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds it was set to."""
        return self.now


CHANGES: dict[str, Callable[[TagCache[Any]], object]] = {
    "tag": lambda cache: cache.invalidate_by_tag("tag"),
    "tag among others": lambda cache: cache.invalidate_by_tag("other", "tag"),
    "deletion": lambda cache: cache.delete("key"),
    "clear": lambda cache: cache.clear(),
    "written through": lambda cache: cache.set("key", "new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_value_computed_before_a_change_is_not_stored_after_it(change: str) -> None:
    cache = TagCache[str](10)
    with cache.flight() as flight:
        CHANGES[change](cache)
        assert not cache.set("key", "old", ["tag"], since=flight)
        assert cache.get("key") != "old"
        assert flight.outlived(["tag"], "key")
    with cache.flight() as flight:
        assert cache.set("key", "fresh", ["tag"], since=flight)
    assert cache.stats().outlived == 1


def test_change_of_something_else_does_not_outlive() -> None:
    cache = TagCache[int](10)
    with cache.flight() as flight:
        cache.invalidate_by_tag("other", "key")
        cache.delete("tag")
        cache.set("tag", 1, ["tag"])
        assert cache.set("key", 1, ["tag"], since=flight)
        assert cache.set("key", 2, ["tag"], since=flight)


def test_tag_that_nobody_carries_yet_outlives_too() -> None:
    """The tags of a value may be known only when it is computed."""
    cache = TagCache[int](10)
    with cache.flight() as flight:
        assert cache.invalidate_by_tag("dynamic") == 0
        assert not cache.set("key", 1, ["static", "dynamic"], since=flight)


def test_flights_overlap_and_end_in_any_order() -> None:
    cache = TagCache[int](10)
    first, second = cache.flight(), cache.flight()
    cache.invalidate_by_tag("a")
    third = cache.flight()
    second.end()
    cache.invalidate_by_tag("b")
    assert [first.outlived([tag]) for tag in "abc"] == [True, True, False]
    assert [third.outlived([tag]) for tag in "abc"] == [False, True, False]
    first.end()
    first.end()
    assert [third.outlived([tag]) for tag in "abc"] == [False, True, False]


def test_flight_that_has_ended_stores_nothing() -> None:
    """What has changed since it ended was not noted."""
    cache = TagCache[int](10)
    with cache.flight() as flight:
        pass
    assert not cache.set("key", 1, since=flight)
    assert flight.outlived([])
    with suppress(LookupError), cache.flight() as flight:
        raise LookupError
    assert flight.outlived([])


def test_flight_that_is_lost_is_over() -> None:
    """A task that was cancelled before `with` leaves nothing behind."""
    cache = TagCache[int](10)
    cache.flight()
    for n in range(10):
        cache.invalidate_by_tag(f"{n}")
    cache.validate()  # finds notes without a flight


def test_tags_do_not_leak() -> None:
    """On overwriting, retagging, eviction, expiry, deletion, invalidation and refusal."""
    clock = Clock()
    cache = TagCache[int](3, clock=clock, max_bytes=100, weigh=lambda _key, _value: 1)
    for n in range(50):
        cache.set("overwritten", n, [f"o{n}", "o"])
        cache.set(f"evicted{n}", n, [f"e{n}", "e"])
        cache.set(f"expired{n}", n, [f"x{n}", "x"], ttl=1)
        clock.now += 2
        assert cache.get(f"expired{n}") is None
        cache.set(f"deleted{n}", n, [f"d{n}", "d"])
        cache.delete(f"deleted{n}")
        cache.set(f"gone{n}", n, [f"g{n}", "g"])
        cache.invalidate_by_tag("g")
        assert not cache.set(f"heavy{n}", n, [f"h{n}"], size=101)
        assert cache.stats().tags <= 6
        cache.validate()
    cache.invalidate_by_tag("o", "e")
    assert (len(cache), cache.stats().tags) == (0, 0)


def test_no_tag_is_ever_evicted_before_its_entries() -> None:
    """Elsewhere a tag that was dropped for room made its entries immortal."""
    cache = TagCache[int](1000)
    cache.set("old", 1, ["rare"])
    for n in range(999):
        cache.set(f"{n}", n, [f"tag{n}"])
    assert cache.invalidate_by_tag("rare") == 1


def test_clocks_have_no_part_in_invalidation() -> None:
    """A clock that jumps back neither revives an entry nor makes one immortal."""
    clock = Clock()
    cache = TagCache[int](10, clock=clock)
    clock.now = 1e6
    cache.set("a", 1, ["t"], ttl=10)
    clock.now = 5.0
    with cache.flight() as flight:
        assert cache.invalidate_by_tag("t") == 1
        assert not cache.set("a", 2, ["t"], since=flight)
    cache.set("b", 3, ["t"], ttl=10)
    assert cache.invalidate_by_tag("t") == 1
    cache.set("b", 3, ["t"], ttl=10)
    clock.now = 1e6 + 11
    assert cache.get("b") is None
    cache.validate()


@pytest.mark.parametrize("lifetime", [{"ttl": 10}, {"idle_ttl": 10}])
def test_clock_that_leaps_by_decades_makes_nothing_immortal(lifetime: dict[str, float]) -> None:
    """As a wall clock does that is set for the first time."""
    clock = Clock()
    cache = TagCache[int](10, clock=clock)
    cache.set("before", 1, **lifetime)  # type: ignore[arg-type]
    clock.now = 60 * 365 * 86_400.0
    cache.set("after", 2, **lifetime)  # type: ignore[arg-type]
    cache.get("after")
    clock.now += 11
    assert cache.get_many(["before", "after"]) == [None, None]
    cache.validate()
    cache.sweep()
    assert len(cache) == 0


LEAVE: dict[str, Callable[[TagCache[Any]], object]] = {
    "overwritten": lambda cache: cache.set("key", 1),
    "evicted": lambda cache: [cache.set(f"{n}", n) for n in range(10)],
    "expired": lambda cache: cache.get("expired"),
    "deleted": lambda cache: cache.delete("key"),
    "invalidated": lambda cache: cache.invalidate_by_tag("t"),
    "cleared": lambda cache: cache.clear(),
    "swept": lambda cache: cache.sweep(),
}


@pytest.mark.parametrize("way", LEAVE)
def test_finaliser_may_use_the_cache(way: str) -> None:
    """Elsewhere it waits for ever for the lock that its own thread holds."""
    clock = Clock()
    cache = TagCache[Any](4, clock=clock)
    seen: list[object] = []

    def use() -> None:
        cache.validate()
        seen.append(cache.get("key", MISS))
        cache.set("by finaliser", 1, ["t"])
        cache.invalidate_by_tag("t")
        cache.clear()
        gc.collect()

    cache.set("key", Finalised(use), ["t"])
    cache.set("expired", Finalised(use), ["t"], ttl=1)
    clock.now += 2
    LEAVE[way](cache)
    assert seen
    cache.validate()
    cache.clear()


def test_finaliser_that_fails_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TagCache[Any](4)
    failed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: failed.append(hook.exc_type))

    def fail() -> None:
        raise LookupError

    cache.set("key", Finalised(fail), ["t"])
    assert cache.invalidate_by_tag("t") == 1
    assert failed == [LookupError]
    assert cache.set("key", 1)


def test_callables_and_iterables_may_use_the_cache() -> None:
    def tick() -> float:
        if caches:
            caches.pop().set("by clock", 1, size=1)
        return 0.0

    def weigh(key: str, _: object) -> int:
        cache.delete(key)
        return 1

    def tags() -> Iterator[str]:
        cache.set("key", 2, ["t"], size=1)
        yield "t"
        assert cache.invalidate_by_tag("t") == 1

    caches: list[TagCache[int]] = []
    cache = TagCache[int](4, max_bytes=10, weigh=weigh, clock=tick)
    caches.append(cache)
    assert cache.set("key", 1, tags())
    caches.append(cache)
    assert cache.get_many(iter(["key", "by clock"])) == [1, 1]
    cache.validate()


def test_cycles_through_the_cache_are_collected() -> None:
    class Owner:
        """Owns a cache that holds it."""

        def __init__(self) -> None:
            self.cache = TagCache[Any](10, clock=self.now, weigh=self.weigh, max_bytes=10)
            self.cache.set("self", self, ["t"])
            self.cache.set("flight", self.cache.flight(), ["t"])
            self.flight = self.cache.flight()
            self.read = self.cache.reader(self.fetch)

        def fetch(self, _key: str) -> Any:
            return None

        def now(self) -> float:
            return 0.0

        def weigh(self, _key: str, _value: object) -> int:
            return 1

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None
    cache = TagCache[Any](10)
    cache.set("self", cache)
    lonely = weakref.ref(cache)
    del cache
    gc.collect()
    assert lonely() is None


def test_collector_may_run_at_any_time() -> None:
    cache = TagCache[Any](50, ttl=100)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for n in range(2000):
            value: dict[str, object] = {"cache": cache}
            value["self"] = value
            cache.set(f"{n % 80}", value, [f"{n % 7}"])
            cache.get(f"{n % 30}")
            if n % 100 == 0:
                cache.invalidate_by_tag("3")
    finally:
        gc.set_threshold(*threshold)
    cache.validate()


def test_values_are_shared_not_copied() -> None:
    cache = TagCache[list[int]](10)
    value = [1]
    cache.set("a", value)
    assert cache.get("a") is value


def test_large_tags_do_not_stall() -> None:
    """The call returns after a slice of the work; nothing of the rest is ever seen."""
    dropped: list[int] = []
    cache = TagCache[Finalised](200_000)
    for n in range(100_000):
        cache.set(f"{n}", Finalised(lambda: dropped.append(1)), ["all", f"{n % 10}"])
    cache.set("other", Finalised(lambda: None), ["other"])
    assert cache.invalidate_by_tag("all") == 100_000
    assert len(dropped) == 512
    assert (len(cache), cache.keys()) == (1, ["other"])
    assert cache.get_many([f"{n}" for n in range(0, 100_000, 100)]) == [None] * 1000
    assert cache.keys_by_tag("3") == []
    assert cache.invalidate_by_tag("3") == 0  # they are gone already
    assert cache.set("5", Finalised(lambda: None), ["all"])
    assert cache.invalidate_by_tag("all") == 1
    for n in range(100_000 // 32):
        cache.get(f"miss{n}")
    assert (len(dropped), cache.stats().pending) == (100_000, 0)
    cache.validate()
