"""Bugs that other caches of two levels have or had, each as a test of what happens here.

What became of the hazards that are known, and where else they are tested:

* fetched before an invalidation, stored after it: here, for tags, keys, sets, clear, tags that
  only the function knows, the second level, refreshes in the background, other nodes
* a late reader joins a fetch that began before the invalidation: here
* promotion of what was invalidated meanwhile, or with a full time to live: here
* the second level down, slow, refusing, full of foreign bytes: here
* invalidation that is cancelled midway, or fails, or has no second level to go to: here
* two sets at once that end in another order than they began: here
* tags changed with a new release of the program: here
* `None` and misses, mutable values shared, nothing left per key: test_reads, test_single_flight
* leaders and waiters cancelled, errors kept, several loops: test_single_flight
* fail-safe and tags: test_old_values
* messages lost, connection cut: test_backplane
* after a fork, finalisers that use the cache: here; cycles, evicted tags, leaking tags, clocks:
  tests/cache/test_hazards.py and tests/cache/level2/
"""

import asyncio
import gc
import os
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
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

from meshaccel.cache import FetchContext, HierarchicalCache, TagCache
from meshaccel.cache.level2 import Level2
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.errors import SecondLevelError

Cache = HierarchicalCache[Any]

CHANGES: dict[str, Callable[[Cache], Awaitable[object]]] = {
    "tag": lambda cache: cache.invalidate_by_tag("tag"),
    "tag among others": lambda cache: cache.invalidate_by_tag("other", "tag"),
    "tag that only the function knows": lambda cache: cache.invalidate_by_tag("dynamic"),
    "expired tag": lambda cache: cache.expire_by_tag("tag"),
    "deletion": lambda cache: cache.delete("key"),
    "clear": lambda cache: cache.clear(),
    "set": lambda cache: cache.set("key", "set"),
}
EVERY_CHANGE = pytest.mark.parametrize("change", CHANGES)


def tagging(origin: Origin) -> Callable[[FetchContext[Any]], Awaitable[Any]]:
    """Fetch from the origin, and find out one more tag."""

    async def fetch(context: FetchContext[Any]) -> Any:
        value = await origin()
        context.tags.add("dynamic")
        return value

    return fetch


@EVERY_CHANGE
@pytest.mark.parametrize("with_l2", [False, True], ids=["L1", "L1+L2"])
@asynchronous
async def test_value_fetched_before_a_change_is_not_stored_after_it(
    change: str,
    with_l2: bool,  # noqa: FBT001
) -> None:
    l2 = MemoryL2() if with_l2 else None
    cache, origin = make(l2), Origin("old")
    origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", tagging(origin), tags=["tag"]))
    await idle()
    await CHANGES[change](cache)
    origin.gate.set()
    assert await early == "old"  # it asked before
    assert await cache.get("key") != "old"
    if l2 is not None:
        assert await make(l2).get("key") != "old"


@EVERY_CHANGE
@asynchronous
async def test_late_reader_does_not_get_what_was_fetched_before(change: str) -> None:
    cache, origin = make(MemoryL2()), Origin("old", "new")
    origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", tagging(origin), tags=["tag"]))
    await idle()
    await CHANGES[change](cache)
    late = [
        asyncio.ensure_future(cache.get("key", tagging(origin), tags=["tag"])) for _ in range(9)
    ]
    await idle()
    origin.gate.set()
    fresh = "set" if change == "set" else "new"
    assert [await early, *await asyncio.gather(*late)] == ["old"] + [fresh] * 9
    assert origin.calls == (1 if change == "set" else 2)
    assert await cache.get("key") == fresh


@asynchronous
async def test_change_of_something_else_neither_outdates_nor_doubles() -> None:
    cache, origin = make(MemoryL2()), Origin("value")
    origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", tagging(origin), tags=["tag"]))
    await idle()
    await cache.invalidate_by_tag("other")
    await cache.set("other", 1)
    late = asyncio.ensure_future(cache.get("key", tagging(origin), tags=["tag"]))
    await idle()
    origin.gate.set()
    assert (await early, await late, origin.calls) == ("value", "value", 1)
    assert cache.get_now("key") == "value"


@EVERY_CHANGE
@asynchronous
async def test_promotion_of_what_was_changed_meanwhile_is_not_stored(change: str) -> None:
    l2 = Doors(MemoryL2())
    await make(l2).get("key", tagging(Origin("old")), tags=["tag"])
    cache = make(l2)
    l2.shut = {"read"}
    reads = [
        asyncio.ensure_future(cache.get("key", tags=["tag"]) if fetch is None else
        cache.get("key", fetch, tags=["tag"]))
        for fetch in (None, tagging(Origin("new")))
    ]  # fmt: skip
    await idle()
    for _ in reads:
        assert await l2.pass_one() == "read"
    await CHANGES[change](cache)  # they have been answered, but have not heard it
    await l2.open()
    assert len(await asyncio.gather(*reads)) == 2  # they asked before: either answer is right
    assert await cache.get("key") != "old"


@asynchronous
async def test_promotion_between_the_two_halves_of_an_invalidation_does_not_last() -> None:
    """The first level is done, the second not yet: the old value comes back from there."""
    l2 = Doors(MemoryL2(), "invalidate")
    cache, origin = make(l2), Origin("old", "new")
    await cache.get("key", origin, tags=["tag"])
    invalidating = asyncio.ensure_future(cache.invalidate_by_tag("tag"))
    await idle()
    assert await cache.get("key", origin, tags=["tag"]) == "old"  # not acknowledged yet
    assert cache.get_now("key") == "old"
    await l2.open()
    await invalidating
    assert cache.get_now("key") is None
    assert await cache.get("key", origin, tags=["tag"]) == "new"


@asynchronous
async def test_cancelled_invalidation_leaves_nothing_of_it_here() -> None:
    l2 = Doors(MemoryL2(), "invalidate")
    cache, origin = make(l2), Origin("old", "new")
    await cache.get("key", origin, tags=["tag"])
    invalidating = asyncio.ensure_future(cache.invalidate_by_tag("tag"))
    await idle()
    await l2.pass_one()
    await cache.get("key", origin, tags=["tag"])
    invalidating.cancel()
    await asyncio.wait([invalidating])
    assert cache.get_now("key") is None


@asynchronous
async def test_promotion_keeps_the_time_that_is_left() -> None:
    """Elsewhere a value that is promoted at its end lives twice as long."""
    clock = FakeClock()
    l2 = MemoryL2(clock)
    await make(l2, clock).get("key", Origin(1))
    clock.now += 50
    cache = make(l2, clock)
    assert await cache.get("key") == 1
    clock.now += 9
    assert cache.get_now("key") == 1
    clock.now += 2
    assert await cache.get("key") is None
    short = make(l2, clock, l1_ttl=1)
    await short.set("other", 2)
    clock.now += 2
    assert (short.get_now("other"), await short.get("other")) == (None, 2)


@asynchronous
async def test_value_of_an_older_release_without_the_tag_counts_as_tagged() -> None:
    l2 = MemoryL2()
    await make(l2).get("key", Origin("old"))
    await make(l2).invalidate_by_tag("new tag")
    assert await make(l2).get("key", Origin("new"), tags=["new tag"]) == "new"


@asynchronous
async def test_tags_of_a_promoted_value_are_known_here() -> None:
    l2 = MemoryL2()
    await make(l2).get("key", tagging(Origin("old")))
    cache = make(l2)
    assert await cache.get("key", Origin("other")) == "old"
    assert await cache.invalidate_by_tag("dynamic") == 1


@asynchronous
async def test_value_that_is_just_being_written_is_not_for_who_comes_after_a_change() -> None:
    """Its fetch is still there to be joined, and was judged before the change."""
    l2 = Doors(MemoryL2(), "write")
    cache, origin = make(l2), Origin("old", "new")
    early = asyncio.ensure_future(cache.get("key", tagging(origin)))
    await idle()
    await l2.pass_one()  # written, but not heard of
    await cache.invalidate_by_tag("dynamic")
    late = asyncio.ensure_future(cache.get("key", tagging(origin)))
    await idle()
    await l2.open()
    assert (await early, await late) == ("old", "new")


@asynchronous
async def test_reader_who_joined_before_the_tag_was_known_tries_again() -> None:
    l2 = Doors(MemoryL2(), "write")
    cache, origin = make(l2), Origin("old", "new")
    origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", tagging(origin)))
    await idle()
    await cache.invalidate_by_tag("unrelated")
    later = asyncio.ensure_future(cache.get("key", tagging(origin)))
    await idle()
    origin.gate.set()
    await idle()
    await l2.pass_one()
    await cache.invalidate_by_tag("dynamic")
    await l2.open()
    assert (await early, await later) == ("old", "new")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@asynchronous
async def test_sets_that_overtake_each_other_leave_both_levels_agreed(
    order: tuple[int, int],
) -> None:
    l2 = Doors(MemoryL2(), "put")
    cache = make(l2)
    sets = [asyncio.ensure_future(cache.set("key", value)) for value in "ab"]
    await idle()
    l2.waiting = [l2.waiting[number] for number in order]
    for _ in range(4):
        await l2.pass_one()
    await asyncio.gather(*sets)
    assert await cache.get("key") == await make(l2).get("key") == "ab"[order[1]]


@asynchronous
async def test_sets_that_are_answered_in_another_order_leave_both_levels_agreed() -> None:
    l2 = Doors(MemoryL2(), "put")
    cache = make(l2)
    sets = [asyncio.ensure_future(cache.set("key", value)) for value in "ab"]
    await idle()
    await l2.pass_one()
    await l2.pass_one()
    l2.waiting.reverse()
    await l2.open()
    await asyncio.gather(*sets)
    assert await cache.get("key") == await make(l2).get("key") == "b"


@asynchronous
async def test_read_during_a_set_does_not_bring_the_old_value_back() -> None:
    l2 = Doors(MemoryL2())
    cache = make(l2)
    await cache.set("key", "old")
    l2.shut = {"put", "read"}
    setting = asyncio.ensure_future(cache.set("key", "new"))
    await idle()
    reading = asyncio.ensure_future(cache.get("key", Origin("fetched")))
    await idle()
    l2.waiting.reverse()
    await l2.pass_one()  # the old value is read, and on its way here
    l2.shut = {"read"}
    late, l2.waiting = l2.waiting[1], [l2.waiting[0]]
    await l2.pass_one()
    await setting
    l2.shut.clear()
    late[1].set()
    assert await reading == "new"  # it asked the second level once more
    assert (await cache.get("key"), cache.get_now("key")) == ("new", "new")


@pytest.mark.parametrize("bulk", [False, True])
@asynchronous
async def test_sets_that_follow_each_other_faster_than_trips_take_hold_no_reader_up(
    *, bulk: bool
) -> None:
    l2 = Doors(MemoryL2(), "read")
    cache = make(l2)
    await cache.set("key", "old")
    cache._parts.first.clear()
    origin = Origin("fetched")

    async def read() -> Any:
        if bulk:
            found = await cache.get_many(["key"], lambda keys: dict.fromkeys(keys, "fetched"))
            return found["key"]
        return await cache.get("key", origin)

    reading = asyncio.ensure_future(read())
    await idle()
    for number in range(6):
        if reading.done():
            break
        await cache.set("key", f"set {number}")
        await l2.pass_one()
    assert reading.done()
    assert await reading == "fetched"


@asynchronous
async def test_cancelled_set_leaves_neither_value_in_doubt() -> None:
    l2 = Doors(MemoryL2())
    cache = make(l2)
    await cache.set("key", "old")
    l2.shut = {"put"}
    setting = asyncio.ensure_future(cache.set("key", "new"))
    await idle()
    await l2.pass_one()
    setting.cancel()
    await asyncio.wait([setting])
    assert [await cache.get("key"), await make(l2).get("key")] == [None, None]


@asynchronous
async def test_value_that_the_second_level_refuses_is_not_kept_here() -> None:
    """Another node, of which nothing was heard, has invalidated it."""
    l2 = MemoryL2()
    cache, other, origin = make(l2), make(l2), Origin("old", "new")
    origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", origin, tags=["tag"]))
    await idle()
    await other.invalidate_by_tag("tag")
    origin.gate.set()
    assert await early == "old"
    assert await cache.get("key", origin, tags=["tag"]) == "new"
    assert cache.stats().l2_refused == 1


OPERATIONS = {"read", "write", "put", "delete", "invalidate", "expire", "clear"}


@asynchronous
async def test_second_level_that_is_down_concerns_nobody(caplog: pytest.LogCaptureFixture) -> None:
    l2, told = Doors(MemoryL2()), list[str]()
    cache = make(l2, on_l2_error=lambda what, _error: told.append(what))
    l2.failing = set(OPERATIONS)
    origin = Origin(1, 2, 3, 4)
    assert await cache.get("key", origin, tags=["tag"]) == 1
    assert await cache.get("key", origin) == 1
    assert await cache.invalidate_by_tag("tag") == 1
    assert await cache.get("key", origin, tags=["tag"]) == 2
    await cache.expire_by_tag("tag")
    assert await cache.get_many(["key"]) == {}
    await cache.set("key", "set")
    assert await cache.get("key") == "set"
    await cache.delete("key")
    await cache.clear()
    assert await cache.get("key") is None
    assert set(told) == OPERATIONS - {"write"}  # nothing is written without a version
    assert cache.stats().l2_errors == len(told)
    assert len(caplog.records) == 1  # not one for each
    l2.failing = set()
    assert await cache.get("key", origin) == 3
    assert await make(l2).get("key") == 3


@asynchronous
async def test_errors_of_the_second_level_reach_who_wants_them() -> None:
    def strict(_what: str, error: Exception) -> None:
        raise error

    l2 = Doors(MemoryL2())
    cache = make(l2, on_l2_error=strict)
    await cache.get("key", Origin(1), tags=["tag"])
    l2.failing = set(OPERATIONS)
    with pytest.raises(SecondLevelError):
        await cache.get("other", Origin(1))
    with pytest.raises(SecondLevelError):
        await cache.invalidate_by_tag("tag")
    assert cache.get_now("key") is None  # here it is done all the same


@EVERY_CHANGE
@asynchronous
async def test_change_that_the_second_level_missed_is_made_up_for(change: str) -> None:
    """It is told before it is believed again; nobody has to wrap it for that."""
    l2 = Doors(MemoryL2())
    cache = HierarchicalCache[Any](TagCache(1), l2)
    await cache.get("key", tagging(Origin("old")), tags=["tag"])
    l2.failing = set(OPERATIONS)
    await CHANGES[change](cache)
    l2.failing = set()
    await cache.set("another", "takes the only place of the first level")
    assert await cache.get("key") != "old"
    assert await make(l2.behind).get("key") != "old"
    await cache.close()


@asynchronous
async def test_any_error_of_a_foreign_second_level_is_caught() -> None:
    class Broken(MemoryL2):
        async def read(self, wanted: object) -> Any:
            raise KeyError(wanted)

    assert await make(Broken()).get("key", Origin(1)) == 1


@asynchronous
async def test_foreign_bytes_are_a_miss() -> None:
    l2 = MemoryL2()
    await make(l2).set("key", 1)
    entry = l2.entries["key"]
    l2.entries["key"] = type(entry)(
        b"\xc1 not ours", entry.tags, entry.version, entry.fresh_until, entry.kept_until
    )
    cache = make(l2)
    assert await cache.get("key") is None
    assert await cache.get("key", Origin(2)) == 2
    assert cache.stats().l2_errors == 2


@asynchronous
async def test_value_without_a_payload_stays_in_the_first_level() -> None:
    l2 = MemoryL2()
    cache, value = make(l2), object()
    assert await cache.get("key", lambda: value) is value
    assert await cache.get("key") is value
    await cache.set("set", 1)
    await cache.set("set", value)
    assert await cache.get("set") is value
    assert await make(l2).get_many(["key", "set"]) == {}  # and its predecessor is gone


@asynchronous
async def test_slow_writes_may_be_left_to_the_background() -> None:
    l2 = Doors(MemoryL2(), "write")
    cache = make(l2, background_writes=True)
    assert await cache.get("key", Origin(1)) == 1
    assert cache.stats().under_way == 0
    closing = asyncio.ensure_future(cache.close())
    await idle()
    assert not closing.done()  # what was promised is done first
    await l2.open()
    await closing
    assert await make(l2).get("key") == 1


@asynchronous
async def test_by_default_a_fetched_value_is_in_the_second_level_when_it_is_returned() -> None:
    l2 = MemoryL2()
    await make(l2).get("key", Origin(1))
    assert await make(l2).get("key") == 1


@asynchronous
async def test_refresh_in_the_background_is_outdated_like_any_other() -> None:
    """Elsewhere only fetches that somebody waits for are."""
    clock, origin = FakeClock(), Origin("old", "also old", "new")
    cache = make(MemoryL2(clock), clock, stale_while_revalidate=60)
    await cache.get("key", origin, tags=["tag"])
    clock.now += 61
    origin.gate.clear()
    assert await cache.get("key", origin, tags=["tag"]) == "old"
    await idle()
    await cache.invalidate_by_tag("tag")
    origin.gate.set()
    await idle()
    assert cache.get_now("key") is None
    assert await cache.get("key", origin, tags=["tag"]) == "new"


@asynchronous
async def test_finaliser_may_use_the_cache() -> None:
    cache = make()
    seen: list[Any] = []

    class Finalised:
        def __del__(self) -> None:
            seen.append(cache.get_now("other"))
            cache._parts.first.delete(["key"])

    await cache.set("other", 1)
    await cache.set("key", Finalised(), ["tag"])
    await cache.invalidate_by_tag("tag")
    assert seen == [1]


@asynchronous
async def test_cache_that_is_forgotten_is_collected() -> None:
    cache = make()
    await cache.set("self", cache, ["tag"])
    await cache.get("key", lambda: 1)
    gone = weakref.ref(cache)
    del cache
    await idle()
    gc.collect()
    assert gone() is None


@asynchronous
async def test_fetch_under_way_at_a_fork_does_not_block_the_child() -> None:
    cache, origin = make(), Origin(1)
    origin.gate.clear()
    reading = asyncio.ensure_future(cache.get("key", origin))
    await idle()

    async def read() -> int:
        async with asyncio.timeout(60):
            value: int = await cache.get("key", lambda: 2)
            return value

    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if asyncio.run(read()) == 2 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it needs nothing of this loop
    assert os.waitstatus_to_exitcode(status) == 0
    origin.gate.set()
    assert await reading == 1


@asynchronous
async def test_file_of_sqlite_survives_a_restart(tmp_path: Path) -> None:
    """All of the above with a real store: one round of everything."""
    origin = Origin("old", "new", "newer")

    async def opened() -> Cache:
        l2: Level2 = await SqliteL2.open(tmp_path / "cache.db")
        return HierarchicalCache(TagCache(100), l2)

    async with await opened() as cache:
        assert await cache.get("key", tagging(origin), tags=["tag"]) == "old"
        await cache.set("set", {"a": [1, None]}, ["tag"])
    async with await opened() as cache:
        assert await cache.get("key", origin, tags=["tag"]) == "old"
        assert await cache.get_many(["set", "absent"]) == {"set": {"a": [1, None]}}
        assert await cache.invalidate_by_tag("dynamic") == 1
        assert await cache.get("key", tagging(origin), tags=["tag"]) == "new"
        await cache.expire_by_tag("tag")
        assert await cache.get("set") is None
    async with await opened() as cache:
        assert await cache.get("key") is None
        assert await cache.get("key", tagging(origin), tags=["tag"]) == "newer"
        await cache.clear()
        assert await cache.get("key") is None
