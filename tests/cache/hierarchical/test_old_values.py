"""Values that are no longer fresh: served meanwhile, instead, or never again."""

import asyncio
from typing import Any

import pytest
from tests.cache.hierarchical.support import (
    FakeClock,
    MemoryL2,
    Origin,
    asynchronous,
    idle,
    make,
)

from meshaccel.cache import FetchContext
from meshaccel.errors import FetchTimeoutError, NothingToRenewError

LEVELS = pytest.mark.parametrize("with_l2", [False, True], ids=["L1", "L1+L2"])


def level2(clock: FakeClock, *, with_l2: bool) -> MemoryL2 | None:
    """Return a second level, or none."""
    return MemoryL2(clock) if with_l2 else None


@LEVELS
@asynchronous
async def test_stale_value_is_served_while_one_refreshes(with_l2: bool) -> None:  # noqa: FBT001
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(level2(clock, with_l2=with_l2), clock, stale_while_revalidate=30)
    assert await cache.get("key", origin) == 1
    clock.now += 70
    origin.gate.clear()
    assert [await cache.get("key", origin) for _ in range(5)] == [1] * 5
    await idle()
    assert origin.calls == 2
    origin.gate.set()
    await idle()
    assert (await cache.get("key", origin), origin.calls) == (2, 2)
    assert (cache.stats().stale, cache.stats().refreshed) == (5, 1)
    clock.now += 91
    assert (await cache.get("key", origin), origin.calls) == (2, 3)  # too old: waited for


@asynchronous
async def test_stale_value_of_the_second_level_is_served_while_one_refreshes() -> None:
    """After a restart the old values are there only."""
    clock = FakeClock()
    l2, origin = MemoryL2(clock), Origin(1, 2)
    await make(l2, clock, stale_while_revalidate=30).get("key", origin)
    clock.now += 70
    cache = make(l2, clock, stale_while_revalidate=30)
    origin.gate.clear()
    assert await cache.get("key", origin) == 1
    origin.gate.set()
    await idle()
    assert cache.get_now("key") == 2


@LEVELS
@asynchronous
async def test_old_value_takes_the_place_of_an_error(with_l2: bool) -> None:  # noqa: FBT001
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(level2(clock, with_l2=with_l2), clock, fail_safe=3600, retry_after=5)
    assert await cache.get("key", origin) == 1
    clock.now += 1000
    origin.error = ConnectionError("down")
    assert set(await asyncio.gather(*(cache.get("key", origin) for _ in range(10)))) == {1}
    assert origin.calls == 2
    assert await cache.get("key", origin) == 1  # not tried again so soon
    assert origin.calls == 2
    clock.now += 6
    origin.values, origin.error = [3], None
    assert await cache.get("key", origin) == 3
    clock.now += 61 + 3601
    origin.error = ConnectionError("down")
    with pytest.raises(ConnectionError):
        await cache.get("key", origin)


@LEVELS
@asynchronous
async def test_expired_tag_leaves_values_to_fail_safe(with_l2: bool) -> None:  # noqa: FBT001
    clock, origin = FakeClock(), Origin(1, 2)
    options: dict[str, Any] = {"fail_safe": 3600, "stale_while_revalidate": 3600}
    cache = make(level2(clock, with_l2=with_l2), clock, **options)
    await cache.get("key", origin, tags=["tag"])
    assert await cache.expire_by_tag("tag") == 1
    assert await cache.get("key") is None
    origin.error = ConnectionError("down")
    assert await cache.get("key", origin, tags=["tag"]) == 1
    clock.now += 10
    origin.error = None
    origin.values = [2]
    assert await cache.get("key", origin, tags=["tag"]) == 2  # not served while it is fetched


@LEVELS
@asynchronous
async def test_invalidated_value_is_never_served_again(with_l2: bool) -> None:  # noqa: FBT001
    clock, origin = FakeClock(), Origin(1, 2)
    options: dict[str, Any] = {"fail_safe": 3600, "stale_while_revalidate": 3600, "eager": 0.5}
    cache = make(level2(clock, with_l2=with_l2), clock, **options)
    await cache.get("key", origin, tags=["tag"])
    await cache.invalidate_by_tag("tag")
    origin.error = ConnectionError("down")
    with pytest.raises(ConnectionError):
        await cache.get("key", origin, tags=["tag"])


@asynchronous
async def test_value_invalidated_while_the_function_fails_does_not_take_its_place() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(clock=clock, fail_safe=3600)
    await cache.get("key", origin, tags=["tag"])
    clock.now += 61
    origin.gate.clear()
    origin.error = ConnectionError("down")
    reading = asyncio.ensure_future(cache.get("key", origin, tags=["tag"]))
    await idle()
    await cache.invalidate_by_tag("tag")
    origin.gate.set()
    with pytest.raises(ConnectionError):
        await reading


@asynchronous
async def test_popular_key_is_refreshed_before_it_misses() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(MemoryL2(clock), clock, ttl=100, eager=0.8)
    await cache.get("key", origin)
    clock.now += 79
    assert cache.get_now("key") == 1  # nothing is asked until then
    clock.now += 2
    origin.gate.clear()
    assert [await cache.get("key", origin) for _ in range(3)] == [1, 1, 1]
    origin.gate.set()
    await idle()
    assert (cache.get_now("key"), origin.calls) == (2, 2)


@asynchronous
async def test_eager_refresh_is_not_for_who_only_looks() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(clock=clock, ttl=100, eager=0.8)
    await cache.get("key", origin)
    clock.now += 81
    assert await cache.get("key") == 1
    clock.now += 20
    assert await cache.get("key") is None


@asynchronous
async def test_slow_function_is_not_waited_for_if_there_is_an_old_value() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(clock=clock, fail_safe=3600, soft_timeout=0.001)
    await cache.get("key", origin)
    clock.now += 61
    origin.gate.clear()
    assert await cache.get("key", origin) == 1
    origin.gate.set()
    await idle()
    assert (cache.get_now("key"), origin.calls) == (2, 2)  # it went on


@asynchronous
async def test_function_has_only_so_much_time() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(clock=clock, fail_safe=3600, hard_timeout=0.001)
    origin.gate.clear()
    calls = [cache.get("key", origin) for _ in range(3)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(error) for error in errors] == ["key: not fetched within 0.001 seconds"] * 3
    assert all(isinstance(error, FetchTimeoutError) for error in errors)
    origin.gate.set()
    assert await cache.get("key", origin) == 2
    clock.now += 61
    origin.gate.clear()
    assert await cache.get("key", origin) == 2
    assert (origin.cancelled, cache.stats().timeouts) == (2, 2)


@asynchronous
async def test_timeout_of_the_function_itself_is_its_own() -> None:
    cache = make(hard_timeout=60)

    def fetch() -> int:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await cache.get("key", fetch)


@asynchronous
async def test_error_is_remembered_if_that_is_wanted() -> None:
    clock, origin = FakeClock(), Origin(1)
    cache = make(clock=clock, negative_ttl=5, negative=(LookupError,))
    origin.error = LookupError("no such agent")
    for _ in range(3):
        with pytest.raises(LookupError, match="no such agent"):
            await cache.get("key", origin, tags=["tag"])
    with pytest.raises(LookupError):
        await cache.get_many(["key"], lambda _keys: {})
    assert (origin.calls, cache.stats().negative_hits) == (1, 3)
    assert await cache.get("key") is None  # who does not fetch is not told
    origin.error = None
    await cache.invalidate_by_tag("tag")
    assert await cache.get("key", origin, tags=["tag"]) == 1
    origin.error = OSError("something else")
    for _ in range(2):
        with pytest.raises(OSError, match="something else"):
            await cache.get("other", origin)
    assert origin.calls == 4
    origin.error = LookupError("no such agent")
    with pytest.raises(LookupError):
        await cache.get("third", origin)
    clock.now += 6
    origin.error = None
    assert await cache.get("third", origin) == 1


@LEVELS
@asynchronous
async def test_old_value_is_renewed_if_it_has_not_changed(with_l2: bool) -> None:  # noqa: FBT001
    clock = FakeClock()
    cache = make(level2(clock, with_l2=with_l2), clock, keep=3600)
    asked: list[str | None] = []

    def fetch(context: FetchContext[Any]) -> Any:
        asked.append(context.old_validator)
        if context.old_validator == "etag":
            return context.not_modified()
        context.validator = "etag"
        context.tags.add("dynamic")
        return ["large"]

    for _ in range(3):
        assert await cache.get("key", fetch) == ["large"]
        clock.now += 61
    assert asked == [None, "etag", "etag"]
    assert cache.stats().not_modified == 2
    await cache.get("key", fetch)
    assert await cache.invalidate_by_tag("dynamic") == 1  # the tags were kept too
    await cache.get("key", fetch)
    assert asked[-1] is None


@asynchronous
async def test_nothing_to_renew() -> None:
    cache = make()
    with pytest.raises(NothingToRenewError, match="key: there is no old value"):
        await cache.get("key", lambda context: context.not_modified())


@asynchronous
async def test_old_value_that_the_second_level_no_longer_has_is_not_served() -> None:
    """Another node may have invalidated it, and nothing here was told."""
    clock = FakeClock()
    l2, origin = MemoryL2(clock), Origin(1)
    cache, other = (make(l2, clock, fail_safe=3600) for _ in range(2))
    await cache.get("key", origin, tags=["tag"])
    await other.invalidate_by_tag("tag")
    clock.now += 61
    origin.error = ConnectionError("down")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await cache.get("key", origin, tags=["tag"])
        clock.now += 1


@asynchronous
async def test_first_level_asks_the_second_again_in_time() -> None:
    clock = FakeClock()
    l2, origin = MemoryL2(clock), Origin(1, 2)
    cache, other = make(l2, clock, l1_ttl=5), make(l2, clock)
    await cache.get("key", origin, tags=["tag"])
    await other.invalidate_by_tag("tag")
    assert await cache.get("key", origin, tags=["tag"]) == 1
    clock.now += 6
    assert await cache.get("key", origin, tags=["tag"]) == 2


@asynchronous
async def test_evicted_value_does_not_count_as_due_for_a_refresh() -> None:
    clock, origin = FakeClock(), Origin(1, 2)
    cache = make(clock=clock, ttl=100, eager=0.8)
    await cache.get("key", origin)
    for number in range(5000):
        cache._parts.first.fresh.set(f"{number}", 0)
    assert cache.get_now("key") is None
    assert (await cache.get("key", origin), origin.calls) == (1, 1)


@pytest.mark.parametrize("under_way", [False, True], ids=["remembered", "under way"])
@asynchronous
async def test_expiring_a_tag_ends_the_errors_that_carry_it(under_way: bool) -> None:  # noqa: FBT001
    cache, origin = make(negative_ttl=60), Origin(1)
    origin.error = LookupError("not yet")
    if under_way:
        origin.gate.clear()
    early = asyncio.ensure_future(cache.get("key", origin, tags=["tag"]))
    await idle()
    await cache.expire_by_tag("tag")
    origin.gate.set()
    with pytest.raises(LookupError):
        await early
    if not under_way:
        await cache.expire_by_tag("tag")
    origin.error = None
    assert await cache.get("key", origin, tags=["tag"]) == 1


@LEVELS
@asynchronous
async def test_tags_of_the_old_value_are_not_those_of_the_new_one(with_l2: bool) -> None:  # noqa: FBT001
    """Else they would pile up, and changes of what it no longer depends on would outdate it."""
    clock = FakeClock()
    l2 = level2(clock, with_l2=with_l2)
    cache, seen = make(l2, clock, ttl=10, keep=100), list[set[str]]()

    async def fetch(context: FetchContext[int]) -> int:
        context.tags.add(f"author:{len(seen)}")
        seen.append(set(context.tags))
        return len(seen)

    for _ in range(3):
        await cache.get("key", fetch, tags=["page"])
        clock.now += 11
    assert seen == [{"page", f"author:{number}"} for number in range(3)]
    if l2 is not None:
        assert l2.entries["key"].tags == ("author:2", "page")
