"""What a cache promises, of the native one and of its reference."""

import asyncio
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from meshaccel import errors
from meshaccel.cache import MISS, Miss, TagCache
from meshaccel.reference import cache as reference

KINDS = [
    pytest.param(TagCache, id="native"),
    pytest.param(reference.TagCache, id="reference"),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    """Both classes."""
    return request.param


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds it was set to."""
        return self.now


def test_what_is_set_is_there_until_it_is_deleted(kind: Any) -> None:
    cache = kind(10)
    assert cache.set("a", 1)
    assert (cache.get("a"), len(cache), "a" in cache) == (1, 1, True)
    assert cache.set("a", 2)
    assert (cache.get("a"), len(cache)) == (2, 1)
    assert cache.delete("a")
    assert not cache.delete("a")
    assert (cache.get("a"), len(cache), "a" in cache) == (None, 0, False)


def test_a_cached_none_is_no_miss(kind: Any) -> None:
    cache = kind(10)
    cache.set("a", None)
    found: Miss | None = cache.get("a", MISS)
    assert found is None
    assert cache.get("b", MISS) is MISS
    assert cache.get_many(["b", "a"], MISS) == [MISS, None]
    assert cache.get_many(iter(("a", "b"))) == [None, None]
    assert pickle.loads(pickle.dumps(MISS)) is MISS  # noqa: S301 - just written here


def test_tags_are_exact(kind: Any) -> None:
    cache = kind(10)
    cache.set("a", 1, ["x", "y", "x"])
    cache.set("b", 2, ("y",))
    cache.set("c", 3, {"z"})
    assert cache.stats().tags == 3
    cache.set("a", 4, ["z"])
    assert cache.stats().tags == 2
    assert cache.invalidate_by_tag("x") == 0
    assert sorted(cache.keys_by_tag("z")) == ["a", "c"]
    assert cache.keys_by_tag("unknown") == []
    assert cache.invalidate_by_tag("z", "z", "unknown") == 2
    assert (cache.keys(), cache.stats().tags) == (["b"], 1)
    assert cache.invalidate_by_tag() == 0
    assert cache.invalidate_by_tag("y", "z") == 1


def test_entries_expire_to_the_microsecond(kind: Any) -> None:
    clock = Clock()
    cache = kind(10, ttl=10, clock=clock)
    cache.set("a", 1)
    cache.set("b", 2, ttl=0.5)
    cache.set("c", 3, ttl=math.inf)
    assert [cache.ttl(key) for key in "abcd"] == [10, 0.5, math.inf, None]
    clock.now += 0.499999
    assert "b" in cache
    clock.now += 0.000002
    assert cache.get_many(["a", "b", "c"]) == [1, None, 3]
    assert cache.touch("a", ttl=100)
    assert not cache.touch("b")
    clock.now += 99
    assert cache.get("a") == 1
    assert cache.ttl("a") == pytest.approx(1, abs=1e-5)


def test_idle_entries_expire_and_used_ones_stay_until_their_end(kind: Any) -> None:
    clock = Clock()
    cache = kind(10, idle_ttl=1, clock=clock)
    cache.set("a", 1, ttl=3)
    cache.set("b", 2)
    for _ in range(3):
        clock.now += 0.9
        assert cache.get("a") == 1
    assert "b" not in cache
    clock.now += 0.5
    assert cache.get("a") is None


def test_sweep_drops_what_has_expired(kind: Any) -> None:
    clock = Clock()
    cache = kind(1000, clock=clock)
    for n in range(500):
        cache.set(f"k{n}", n, ["t"], ttl=1 + n)
    clock.now += 250.5
    assert len(cache) == 500
    assert cache.sweep() == 250
    assert (len(cache), cache.stats().expired) == (250, 250)
    clock.now += 1e9
    assert cache.sweep() == 250
    assert cache.stats().tags == 0


def test_jitter_only_shortens_and_is_the_same_in_both() -> None:
    left: list[list[float | None]] = []
    for cls in (TagCache, reference.TagCache):
        cache: Any = cls(100, ttl=100, jitter=0.25, seed=7, clock=Clock())
        for n in range(100):
            cache.set(f"k{n}", n)
        left.append([cache.ttl(f"k{n}") for n in range(100)])
    assert left[0] == left[1]
    spans = [span for span in left[0] if span is not None]
    assert 75 < min(spans) < 80
    assert 95 < max(spans) <= 100


def test_bytes_are_bounded(kind: Any) -> None:
    cache = kind(100, max_bytes=1000, weigh=lambda key, value: len(key) + len(value))
    for n in range(50):
        cache.set(f"{n:02}", b"." * 98)
    assert (len(cache), cache.stats().bytes) == (10, 1000)
    assert cache.set("huge", b"", size=900)
    assert (len(cache), cache.stats().bytes) == (2, 1000)
    assert not cache.set("huge", b"", size=1001)
    assert "huge" not in cache
    assert kind(9, max_bytes=500).set("a", b"." * 300)
    assert not kind(9, max_bytes=500).set("a", b"." * 500)


def test_cache_without_room_keeps_nothing(kind: Any) -> None:
    cache = kind(0)
    assert not cache.set("a", 1, ["t"])
    assert (len(cache), cache.stats().tags) == (0, 0)


def test_a_scan_does_not_empty_the_cache(kind: Any) -> None:
    cache = kind(100)
    hot = [f"hot{n}" for n in range(50)]
    for key in hot * 2:
        if cache.get(key) is None:
            cache.set(key, key)
    for n in range(10_000):
        cache.set(f"scan{n}", n)
    assert cache.get_many(hot) == hot
    assert (len(cache), cache.stats().evicted) == (100, 9_950)


def test_epoch_rises_with_every_change_that_outlives(kind: Any) -> None:
    cache = kind(10)
    epochs = [cache.epoch]
    cache.set("a", 1)
    epochs.append(cache.epoch)
    cache.invalidate_by_tag("t")
    epochs.append(cache.epoch)
    cache.delete("a")
    epochs.append(cache.epoch)
    cache.clear()
    epochs.append(cache.epoch)
    assert epochs == sorted(set(epochs))
    with cache.flight() as flight:
        assert flight.epoch == cache.epoch
        cache.set("a", 1, since=flight)
        assert flight.epoch == cache.epoch


def test_stats(kind: Any) -> None:
    cache = kind(2)
    assert cache.stats().hit_ratio == 0
    for key in "abc":
        cache.set(key, key, ["t", key])
        cache.get(key)
    cache.get("?")
    with cache.flight() as flight:
        cache.invalidate_by_tag("t")
        cache.set("a", 1, ["t"], since=flight)
    stats = cache.stats()
    assert stats == (3, 1, 3, 1, 1, 0, 2, 0, 0, 0, 0)
    assert stats.hit_ratio == 0.75


@pytest.mark.parametrize("name", [1, b"a", (), type("Text", (str,), {})("a")])
def test_names_are_exactly_str(kind: Any, name: Any) -> None:
    cache = kind(10)
    cache.set("a", 1, ["a"])
    calls: list[Callable[[], object]] = [
        lambda: cache.get(name),
        lambda: cache.get_many(["a", name]),
        lambda: cache.set(name, 2),
        lambda: cache.set("a", 2, ["b", name]),
        lambda: cache.touch(name),
        lambda: cache.ttl(name),
        lambda: cache.delete(name),
        lambda: cache.invalidate_by_tag("a", name),
        lambda: cache.keys_by_tag(name),
        lambda: name in cache,
        lambda: cache.flight().outlived([name]),
        lambda: cache.flight().outlived([], name),
    ]
    for call in calls:
        with pytest.raises(errors.CacheNameError, match="expected exactly str, got") as caught:
            call()
        assert isinstance(caught.value, TypeError)
    assert (cache.get("a"), cache.keys(), cache.stats().tags) == (1, ["a"], 1)
    with pytest.raises(errors.CacheNameError, match=r"tags: .* got one str in place"):
        cache.set("a", 1, "abc")
    with pytest.raises(TypeError):
        cache.set("a", 1, 5)


@pytest.mark.parametrize(
    "options",
    [
        {"max_entries": -1},
        {"max_entries": 1 << 32},
        {"max_entries": 1, "max_bytes": -1},
        {"max_entries": 1, "ttl": 0},
        {"max_entries": 1, "ttl": math.nan},
        {"max_entries": 1, "idle_ttl": -1.5},
        {"max_entries": 1, "jitter": 1},
        {"max_entries": 1, "jitter": -0.1},
    ],
)
def test_options_out_of_range(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(errors.CacheOptionError, match=f"^{list(options)[-1]} is to be "):
        kind(**options)


def test_times_out_of_range_change_nothing(kind: Any) -> None:
    cache = kind(10)
    cache.set("a", 1)
    calls: list[Callable[[], object]] = [
        lambda: cache.set("a", 2, ttl=0),
        lambda: cache.touch("a", idle_ttl=math.nan),
    ]
    for call in calls:
        with pytest.raises(errors.CacheOptionError):
            call()
    assert cache.ttl("a") == math.inf
    assert cache.get("a") == 1


@pytest.mark.parametrize("options", [{}, {"weigh": lambda _key, _value: -1}])
def test_negative_size(kind: Any, options: dict[str, Any]) -> None:
    cache = kind(10, max_bytes=100, **options)
    cache.set("a", 1, size=10)
    with pytest.raises(errors.CacheOptionError, match=r"^size is to be at least 0, not -1"):
        cache.set("a", 2, **({} if options else {"size": -1}))
    assert (cache.get("a"), cache.stats().bytes) == (1, 10)


def test_flight_of_another_cache(kind: Any) -> None:
    with kind(10).flight() as flight, pytest.raises(errors.ForeignFlightError):
        kind(10).set("a", 1, since=flight)


def test_errors_of_callables_come_through(kind: Any) -> None:
    def complain(*_: object) -> int:
        raise LookupError

    with pytest.raises(LookupError):
        kind(10, clock=complain)
    cache = kind(10, max_bytes=10, weigh=complain)
    with pytest.raises(LookupError):
        cache.set("a", 1)
    assert len(cache) == 0
    with pytest.raises(TypeError):
        cache.get()
    with pytest.raises(TypeError):
        cache.get("a", 1, 2)


def test_reader_looks_and_goes_on_after_a_miss(kind: Any) -> None:
    clock = Clock()
    for options in ({}, {"clock": clock}):
        cache = kind(10, **options)
        calls: list[object] = []

        async def fetch(key: str, *args: object, calls: Any = calls, **named: object) -> str:
            calls.append((key, args, named))
            return f"fetched {key}"

        read = cache.reader(fetch)
        cache.set("a", (1, 2), ttl=1)
        cache.set("none", None)
        assert asyncio.run(_all_of(read("a"), read("a", 1, x=2), read("none"))) == [
            (1, 2),
            (1, 2),
            None,
        ]
        assert calls == []
        assert asyncio.run(_all_of(read("b", 1, x=2, y=3), read(key="a"))) == [
            "fetched b",
            "fetched a",
        ]
        assert calls == [("b", (1,), {"x": 2, "y": 3}), ("a", (), {})]
        assert cache.stats()[:2] == (3, 1)
        with pytest.raises(errors.CacheNameError):
            read(1)
        with pytest.raises(TypeError, match="key"):
            read()
    clock.now += 2
    assert asyncio.run(_all_of(read("a"))) == ["fetched a"]


async def _all_of(*awaitables: Any) -> list[object]:
    return [await awaitable for awaitable in awaitables]


def test_reader_of_a_key_that_was_invalidated(kind: Any) -> None:
    cache = kind(2000)
    for n in range(1000):
        cache.set(f"{n}", n, ["t"])
    read = cache.reader(lambda key: ("missing", key))
    cache.invalidate_by_tag("t")
    assert [read(f"{n}") for n in range(1000)] == [("missing", f"{n}") for n in range(1000)]


def test_error_of_a_reader_comes_through(kind: Any) -> None:
    def complain(_key: str) -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        kind(2).reader(complain)("a")


def test_class_is_generic() -> None:
    assert TagCache[int](3).get("a") is None
    assert TagCache[int].__origin__ is TagCache  # type: ignore[attr-defined]
