"""Several keys at once."""

import asyncio
from typing import Any

import pytest
from tests.cache.hierarchical.support import (
    Doors,
    FakeClock,
    MemoryL2,
    Origin,
    asynchronous,
    idle,
    make,
)

from meshaccel.errors import CacheNameError


class Bulk:
    """Fetches several values; counts, waits and fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.absent: set[str] = set()
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    async def __call__(self, keys: list[str]) -> dict[str, str]:
        """Return the keys that exist, in capitals."""
        self.asked.append(keys)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return {key: key.upper() for key in keys if key not in self.absent}


@asynchronous
async def test_only_missing_keys_are_fetched_and_in_one_call() -> None:
    l2, fetch = MemoryL2(), Bulk()
    await make(l2).set("c", "C")
    cache = make(l2)
    await cache.set("a", "A")
    l2.calls.clear()
    found = await cache.get_many(["a", "b", "c", "d", "b"], fetch)
    assert found == {"a": "A", "b": "B", "c": "C", "d": "D"}
    assert fetch.asked == [["b", "d"]]
    assert l2.calls == ["read", "write", "write"]
    assert await cache.get_many(list("abcd"), fetch) == found
    assert len(fetch.asked) == 1
    assert await make(l2).get_many(list("abcd")) == found


@asynchronous
async def test_keys_that_do_not_exist_are_left_out() -> None:
    cache, fetch = make(MemoryL2()), Bulk()
    fetch.absent = {"b"}
    assert await cache.get_many(list("ab"), fetch) == {"a": "A"}
    assert await cache.get_many(list("ab"), fetch) == {"a": "A"}
    assert fetch.asked == [["a", "b"], ["b"]]
    assert await cache.get_many(["x", "y"]) == {}
    assert await cache.get_many([], fetch) == {}


@asynchronous
async def test_tags_of_each_value() -> None:
    cache, fetch = make(MemoryL2()).namespace("ns"), Bulk()
    await cache.get_many(list("ab"), fetch, tags=["all"], tags_of=lambda key, value: [key + value])
    assert await cache.invalidate_by_tag("aA") == 1
    assert await cache.get_many(list("ab")) == {"b": "B"}
    assert await cache.invalidate_by_tag("all") == 1


@asynchronous
async def test_single_and_bulk_reads_share_fetches() -> None:
    cache, fetch, origin = make(), Bulk(), Origin("single")
    fetch.gate.clear()
    many = asyncio.ensure_future(cache.get_many(list("ab"), fetch))
    await idle()
    one = asyncio.ensure_future(cache.get("a", origin))
    others = asyncio.ensure_future(cache.get_many(list("bc"), fetch))
    await idle()
    fetch.gate.set()
    assert await asyncio.gather(many, one, others) == [
        {"a": "A", "b": "B"},
        "A",
        {"b": "B", "c": "C"},
    ]
    assert (fetch.asked, origin.calls) == ([["a", "b"], ["c"]], 0)


@asynchronous
async def test_key_that_a_bulk_read_did_not_find_is_fetched_by_who_knows_how() -> None:
    cache, fetch, origin = make(), Bulk(), Origin("single")
    fetch.absent = {"a"}
    fetch.gate.clear()
    many = asyncio.ensure_future(cache.get_many(list("a"), fetch))
    await idle()
    one = asyncio.ensure_future(cache.get("a", origin))
    await idle()
    fetch.gate.set()
    assert await asyncio.gather(many, one) == [{}, "single"]


@asynchronous
async def test_bulk_fetch_stops_when_nobody_waits_for_any_of_its_keys() -> None:
    cache, fetch = make(), Bulk()
    fetch.gate.clear()
    many = asyncio.ensure_future(cache.get_many(list("ab"), fetch))
    await idle()
    one = asyncio.ensure_future(cache.get("b", Origin()))
    await idle()
    many.cancel()
    await idle()
    assert fetch.cancelled == 0
    one.cancel()
    await idle()
    assert (fetch.cancelled, cache.stats().under_way) == (1, 0)


@asynchronous
async def test_failure_is_that_of_all_unless_old_values_take_its_place() -> None:
    clock, fetch = FakeClock(), Bulk()
    cache = make(MemoryL2(clock), clock, fail_safe=3600)
    await cache.get_many(list("ab"), fetch)
    clock.now += 61
    fetch.error = ConnectionError("down")
    assert await cache.get_many(list("ab"), fetch) == {"a": "A", "b": "B"}
    with pytest.raises(ConnectionError):
        await cache.get_many(list("abc"), fetch)


@asynchronous
async def test_old_values_are_refreshed_together() -> None:
    clock, fetch = FakeClock(), Bulk()
    cache = make(MemoryL2(clock), clock, stale_while_revalidate=30)
    await cache.get_many(list("ab"), fetch)
    clock.now += 61
    assert await cache.get_many(list("abc"), fetch) == {"a": "A", "b": "B", "c": "C"}
    await idle()
    assert sorted(map(sorted, fetch.asked[1:])) == [["a", "b"], ["c"]]


@asynchronous
async def test_invalidation_during_a_bulk_fetch_outdates_the_keys_it_concerns() -> None:
    cache, fetch = make(MemoryL2()), Bulk()
    fetch.gate.clear()

    def tags_of(key: str, _value: Any) -> list[str]:
        return [f"tag {key}"]

    early = asyncio.ensure_future(cache.get_many(list("ab"), fetch, tags_of=tags_of))
    await idle()
    await cache.invalidate_by_tag("tag a")
    late = asyncio.ensure_future(cache.get_many(list("ab"), fetch, tags_of=tags_of))
    await idle()
    fetch.gate.set()
    assert await early == await late == {"a": "A", "b": "B"}
    assert fetch.asked == [["a", "b"], ["a"]]


@asynchronous
async def test_warm_up_in_parts() -> None:
    l2, fetch = MemoryL2(), Bulk()
    cache = make(l2)
    assert await cache.warm_up(list("abcde"), fetch, batch=2) == 5
    assert fetch.asked == [["a", "b"], ["c", "d"], ["e"]]
    after_restart = make(l2)
    assert await after_restart.warm_up(list("abcdef")) == 5
    assert [after_restart.get_now(key) for key in "af"] == ["A", None]


@asynchronous
async def test_hundred_reads_at_once_need_no_hundred_commands_one_after_the_other() -> None:
    """They all wait for the second level at the same time, so a store can batch them."""
    l2 = Doors(MemoryL2(), "read")
    cache = make(l2)
    reads = [asyncio.ensure_future(cache.get(f"{n}", lambda: 1)) for n in range(100)]
    await idle()
    assert len(l2.waiting) == 100
    await l2.open()
    assert await asyncio.gather(*reads) == [1] * 100


@asynchronous
async def test_one_str_is_no_collection_of_keys() -> None:
    cache = make()
    for call in (cache.get_many("key"), cache.warm_up("key")):
        with pytest.raises(CacheNameError, match="keys"):
            await call
