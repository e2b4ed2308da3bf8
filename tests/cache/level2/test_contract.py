"""What every store promises, against each of them."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.cache.level2.stores import STORES, Store
from tests.cache.level2.support import entry, look, payload, present

from meshaccel.cache.level2 import UNKNOWN, Level2, StoredEntry, Version, Wanted

Check = Callable[[Level2], Coroutine[Any, Any, None]]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """A store of its own for each test."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made


def with_store(store: Store, check: Callable[[Level2], Awaitable[None]]) -> None:
    """Run a check on a store that is opened and closed."""

    async def run() -> None:
        l2 = await store.open()
        try:
            await check(l2)
        finally:
            await l2.close()

    asyncio.run(run())


def test_all_of_an_entry_comes_back(store: Store) -> None:
    async def check(l2: Level2) -> None:
        now = await present(l2)
        stored = entry(
            b"\0payload\xff",
            now,
            "a",
            "\udc80\0",
            "",
            fresh_until=store.clock.now + 5.5,
            kept_until=store.clock.now + 10.25,
            validator='W/"1"',
        )
        assert await l2.write("k\udc80\0", stored)
        assert await look(l2, "k\udc80\0") == stored
        reading = await l2.read([Wanted("other"), Wanted("k\udc80\0"), Wanted("k\udc80\0")])
        assert reading.entries == (None, stored, stored)

    with_store(store, check)


def test_nothing_wanted_tells_the_present(store: Store) -> None:
    async def check(l2: Level2) -> None:
        assert (await l2.read([])).entries == ()
        before = await present(l2)
        assert before == await present(l2)
        after = await l2.invalidate([])
        assert after == await present(l2) == Version(before.incarnation, before.number + 1)

    with_store(store, check)


def test_an_invalidated_tag_takes_its_entries(store: Store) -> None:
    async def check(l2: Level2) -> None:
        now = await present(l2)
        for key, tags in ("ab", ["a", "b"]), ("b", ["b"]), ("none", []):
            assert await l2.write(key, entry(b"1", now, *tags))
        await l2.invalidate(["a", "unheard of"])
        assert [await payload(l2, key) for key in ("ab", "b", "none")] == [None, b"1", b"1"]
        assert await l2.write("ab", entry(b"2", await present(l2), "a", "b"))
        assert await payload(l2, "ab") == b"2"

    with_store(store, check)


def test_tags_of_the_reader_count_too(store: Store) -> None:
    async def check(l2: Level2) -> None:
        await l2.write("k", entry(b"1", await present(l2)))
        assert await payload(l2, "k", "a") == b"1"
        await l2.invalidate(["a"])
        assert await payload(l2, "k") == b"1"
        assert await payload(l2, "k", "a") is None

    with_store(store, check)


def test_what_was_computed_before_an_invalidation_is_refused(store: Store) -> None:
    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.invalidate(["a"])
        await l2.delete(["gone"])
        assert not await l2.write("k", entry(b"1", before, "a"))
        assert not await l2.write("gone", entry(b"1", before))
        assert await l2.write("k", entry(b"1", before, "b"))
        assert await payload(l2, "gone") is None

    with_store(store, check)


def test_newer_wins(store: Store) -> None:
    async def check(l2: Level2) -> None:
        old = await present(l2)
        new = await l2.invalidate(["elsewhere"])
        assert await l2.write("k", entry(b"new", new))
        assert not await l2.write("k", entry(b"old", old))
        assert await l2.write("k", entry(b"refreshed", new))
        assert await payload(l2, "k") == b"refreshed"

    with_store(store, check)


def test_put_wins_over_what_was_computed_before(store: Store) -> None:
    async def check(l2: Level2) -> None:
        before = await present(l2)
        version = await l2.put("k", entry(b"put", UNKNOWN, "a"))
        assert version == Version(before.incarnation, before.number + 1)
        found = await look(l2, "k")
        assert found is not None
        assert found.version == version
        assert not await l2.write("k", entry(b"1", before, "a"))
        await l2.put("k", entry(b"put again", UNKNOWN, "a"))
        assert await payload(l2, "k") == b"put again"
        assert await l2.write("k", entry(b"computed", await present(l2)))
        assert await payload(l2, "k") == b"computed"

    with_store(store, check)


def test_put_that_is_gone_by_now_still_wins(store: Store) -> None:
    """Neither expiry nor eviction of what was put lets an older value in."""

    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.put("k", entry(b"put", UNKNOWN, kept_until=store.clock.now - 1))
        assert await payload(l2, "k") is None
        assert not await l2.write("k", entry(b"1", before))

    with_store(store, check)


def test_expired_tags_leave_entries_for_fail_safe(store: Store) -> None:
    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.write("k", entry(b"1", before, "a"))
        await l2.expire(["a"])
        found = await look(l2, "k")
        assert found is not None
        assert found.expired
        assert await l2.write("late", entry(b"1", before, "a"))
        assert (await look(l2, "late") or entry(b"", before)).expired
        await l2.write("k", entry(b"2", await present(l2), "a"))
        assert not (await look(l2, "k") or entry(b"", before)).expired
        await l2.invalidate(["a"])
        assert await look(l2, "k") is None

    with_store(store, check)


def test_clear_takes_all_and_refuses_what_was_computed_before(store: Store) -> None:
    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.write("k", entry(b"1", before, "a"))
        cleared = await l2.clear()
        assert cleared == await present(l2) == Version(before.incarnation, before.number + 1)
        assert await payload(l2, "k") is None
        assert not await l2.write("k", entry(b"1", before))
        assert await l2.write("k", entry(b"2", cleared, "a"))
        assert await payload(l2, "k") == b"2"

    with_store(store, check)


def test_time_takes_entries(store: Store) -> None:
    async def check(l2: Level2) -> None:
        now = await present(l2)
        await l2.write("k", entry(b"1", now, kept_until=store.clock.now + 50))
        await l2.write("past", entry(b"1", now, kept_until=store.clock.now - 1))
        await l2.write("stale", entry(b"1", now, fresh_until=store.clock.now - 1))
        assert [await payload(l2, key) for key in ("k", "past", "stale")] == [b"1", None, b"1"]
        store.clock.now += 51
        assert await payload(l2, "k") is None

    with_store(store, check)


@pytest.mark.parametrize("version", [UNKNOWN, Version(b"another!", 0)])
def test_another_incarnation_is_refused(store: Store, version: Version) -> None:
    async def check(l2: Level2) -> None:
        assert not await l2.write("k", entry(b"1", version))
        assert await payload(l2, "k") is None

    with_store(store, check)


def test_a_number_from_the_future_is_refused(store: Store) -> None:
    """A store that was put back to an earlier state must not believe what came after it."""

    async def check(l2: Level2) -> None:
        now = await present(l2)
        assert not await l2.write("k", entry(b"1", Version(now.incarnation, now.number + 1)))

    with_store(store, check)


def test_many_at_once(store: Store) -> None:
    async def check(l2: Level2) -> None:
        now = await present(l2)
        keys = [f"k{n}" for n in range(1500)]
        written = [l2.write(key, entry(key.encode(), now, f"t{key}", "all")) for key in keys]
        assert all(await asyncio.gather(*written))
        reading = await l2.read([Wanted(key) for key in keys])
        assert [found and found.payload for found in reading.entries] == [k.encode() for k in keys]
        alone = await asyncio.gather(*(payload(l2, key) for key in keys))
        assert alone == [key.encode() for key in keys]
        await l2.invalidate([f"t{key}" for key in keys[600:]])
        reading = await l2.read([Wanted(key) for key in keys])
        assert [found is not None for found in reading.entries] == [True] * 600 + [False] * 900
        await l2.delete(keys)
        assert await payload(l2, "k0") is None

    with_store(store, check)


def test_two_that_share_a_store(store: Store) -> None:
    async def check(l2: Level2) -> None:
        other = await store.open()
        try:
            before = await present(other)
            await l2.write("k", entry(b"1", before, "a"))
            assert await payload(other, "k") == b"1"
            await other.invalidate(["a"])
            assert await payload(l2, "k") is None
            assert not await l2.write("k", entry(b"1", before, "a"))
            puts = await asyncio.gather(
                *(one.put("k", entry(b"%d" % n, UNKNOWN)) for n, one in enumerate([l2, other] * 5))
            )
            assert len({put.number for put in puts}) == 10
            found = await look(l2, "k")
            assert isinstance(found, StoredEntry)
            assert found.version == max(puts)
        finally:
            await other.close()

    with_store(store, check)


def test_open_again(store: Store) -> None:
    """Entries and notes outlive who wrote them."""

    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.write("a", entry(b"1", before, "a"))
        await l2.write("b", entry(b"1", before, "b"))
        after = await l2.invalidate(["a"])
        await l2.close()
        again = await store.open()
        try:
            assert await present(again) == after
            assert [await payload(again, key) for key in "ab"] == [None, b"1"]
            assert not await again.write("a", entry(b"1", before, "a"))
        finally:
            await again.close()

    with_store(store, check)


def test_forgotten_notes_take_what_is_older(store: Store) -> None:
    """There are bounds to what is remembered; beyond them nothing stale is served either."""

    async def check(l2: Level2) -> None:
        before = await present(l2)
        await l2.write("k", entry(b"1", before, "a"))
        await l2.invalidate(["a"])
        for number in range(store.max_notes * 3):
            await l2.invalidate([f"other{number}"])
            await l2.delete([f"other{number}"])
        assert await payload(l2, "k") is None
        assert not await l2.write("k", entry(b"1", before, "a"))
        assert not await l2.write("never seen", entry(b"1", before))
        assert await l2.write("k", entry(b"2", await present(l2), "a"))
        assert await payload(l2, "k") == b"2"
        assert await store.notes() <= 2 * store.max_notes + store.slack

    with_store(store, check)


def test_infinite_times(store: Store) -> None:
    async def check(l2: Level2) -> None:
        await l2.put("k", entry(b"1", UNKNOWN))
        found = await look(l2, "k")
        assert found is not None
        assert (found.fresh_until, found.kept_until) == (math.inf, math.inf)
        store.clock.now += 3600
        assert await payload(l2, "k") == b"1"

    with_store(store, check)
