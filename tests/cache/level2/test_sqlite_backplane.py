"""Processes that share a file hear of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.cache.level2.stores import SqliteStore
from tests.cache.level2.support import entry, present
from tests.cache.level2.test_redis_backplane import Ear
from tests.pool.support import eventually

from meshaccel.cache import TagCache
from meshaccel.cache.hierarchical import HierarchicalCache
from meshaccel.cache.level2 import UNKNOWN, Invalidation
from meshaccel.cache.sqlite_backplane import SqliteBackplane
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.errors import CacheOptionError


@dataclass
class Pair:
    """One that speaks, and one that hears."""

    speaker: SqliteL2
    hearer: SqliteL2
    backplane: SqliteBackplane
    ear: Ear


@asynccontextmanager
async def pair(store: SqliteStore) -> AsyncIterator[Pair]:
    """Two stores over one file."""
    async with await store.open() as speaker, await store.open() as hearer:
        backplane = SqliteBackplane(hearer, interval=0.01)
        ear = Ear()
        backplane.subscribe(ear)
        try:
            await eventually(lambda: backplane.connected)
            assert ear.losses == 1
            yield Pair(speaker, hearer, backplane, ear)
        finally:
            await backplane.close()


def test_all_that_another_process_does_is_heard(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with pair(sqlite_store) as two:
            await two.speaker.invalidate(["a", "\udc80"])
            await two.speaker.expire(["x"])
            await two.speaker.delete(["k"])
            last = await two.speaker.put("p", entry(b"1", UNKNOWN))
            await eventually(lambda: two.backplane._seen == last)
            assert {tag for heard in two.ear.heard for tag in heard.tags} == {"a", "\udc80"}
            assert {tag for heard in two.ear.heard for tag in heard.expired} == {"x"}
            assert {key for heard in two.ear.heard for key in heard.keys} == {"k", "p"}
            assert two.ear.losses == 1
            await two.speaker.clear()
            await eventually(lambda: two.ear.losses == 2)

    asyncio.run(run())


def test_nobody_hears_of_what_is_their_own(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with pair(sqlite_store) as two:
            two.backplane._interval = 1000.0
            await asyncio.sleep(0.02)
            version = await two.hearer.invalidate(["own"])
            await two.backplane.publish(Invalidation(version, tags=("own",)))
            await two.speaker.invalidate(["other"])
            await two.backplane._look()
            assert [heard.tags for heard in two.ear.heard] == [("other",)]

    asyncio.run(run())


def test_forgotten_notes_are_a_loss(sqlite_store: SqliteStore) -> None:
    sqlite_store.max_notes = 10

    async def run() -> None:
        async with pair(sqlite_store) as two:
            await two.speaker._pool.execute("UPDATE namespace SET number = 1022")
            await two.speaker.invalidate([f"tag{number}" for number in range(20)])
            await two.speaker.invalidate(["one more"])
            await eventually(lambda: two.ear.losses == 2)

    asyncio.run(run())


def test_a_file_that_cannot_be_read_is_a_loss(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with pair(sqlite_store) as two:
            await two.speaker._pool.execute("ALTER TABLE tags RENAME TO elsewhere")
            await two.speaker._pool.execute("UPDATE namespace SET number = number + 1")
            await eventually(lambda: two.ear.losses == 2)
            assert not two.backplane.connected
            await two.speaker._pool.execute("ALTER TABLE elsewhere RENAME TO tags")
            await eventually(lambda: two.backplane.connected)
            assert two.ear.losses == 3

    asyncio.run(run())


def test_a_name_that_is_none_is_a_loss(sqlite_store: SqliteStore) -> None:
    """Whoever wrote it, what comes after it is heard."""

    async def run() -> None:
        async with pair(sqlite_store) as two:
            await two.speaker._pool.execute("INSERT INTO tags VALUES (x'ff', 1000000, 0)")
            await two.speaker._pool.execute("UPDATE namespace SET number = number + 1")
            await eventually(lambda: two.ear.losses == 2)
            assert not two.backplane.connected
            await two.speaker._pool.execute("DELETE FROM tags")
            await eventually(lambda: two.backplane.connected)

    asyncio.run(run())


def test_two_caches_over_one_file(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        caches = []
        for _ in range(2):
            l2 = await sqlite_store.open()
            backplane = SqliteBackplane(l2, interval=0.01)
            caches.append(HierarchicalCache[int](TagCache[int](10), l2, backplane=backplane))
        async with caches[0] as one, caches[1] as other:
            await eventually(lambda: backplane.connected)
            await present(l2)
            assert await one.get("k", lambda: 1, tags=["a"]) == 1
            assert await other.get("k", lambda: 2, tags=["a"]) == 1
            await one.invalidate_by_tag("a")
            await eventually(lambda: other.get_now("k") is None)
            assert await other.get("k", lambda: 3, tags=["a"]) == 3

    asyncio.run(run())


def test_options_are_checked(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with await sqlite_store.open() as l2:
            with pytest.raises(CacheOptionError, match="interval"):
                SqliteBackplane(l2, interval=0)

    asyncio.run(run())
