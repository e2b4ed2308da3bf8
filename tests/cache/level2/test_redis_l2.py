"""What is particular to the store on a server: losing it, in whole or in part, and being slow."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.cache.level2.stores import RedisStore
from tests.cache.level2.support import entry, insisted, look, payload, present
from tests.fault_proxy import fault_proxy
from tests.pool.support import eventually
from tests.valkey import Valkey, valkey

from meshaccel.cache.level2 import UNKNOWN
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.errors import CacheOptionError, SecondLevelError


@pytest.fixture
def own_server() -> Iterator[Valkey]:
    """A server to be killed."""
    with valkey() as server:
        yield server


@pytest.mark.parametrize("lost", ["FLUSHALL", "v"])
def test_numbers_that_are_lost_take_everything(redis_store: RedisStore, lost: str) -> None:
    """Flushed, or only the notes evicted: another incarnation, and nothing older counts."""

    async def run() -> None:
        async with await redis_store.open() as l2:
            before = await present(l2)
            await l2.put("k", entry(b"1", UNKNOWN, "a"))
            if lost == "FLUSHALL":
                redis_store.server.command("FLUSHALL")
            else:
                redis_store.server.command("DEL", f"{{{redis_store.namespace}}}:v")
            assert await payload(l2, "k") is None
            after = await present(l2)
            assert after.incarnation != before.incarnation
            assert not await l2.write("k", entry(b"1", before, "a"))
            version = await l2.put("k", entry(b"2", UNKNOWN, "a"))
            assert version.number == after.number + 1
            assert await payload(l2, "k") == b"2"

    asyncio.run(run())


def test_notes_of_keys_that_are_lost_refuse_what_is_older(redis_store: RedisStore) -> None:
    async def run() -> None:
        async with await redis_store.open() as l2:
            before = await present(l2)
            await l2.delete(["k"])
            redis_store.server.command("DEL", f"{{{redis_store.namespace}}}:d")
            assert not await l2.write("k", entry(b"1", before))
            assert await l2.write("k", entry(b"2", await present(l2)))
            await l2.invalidate(["elsewhere"])
            assert await l2.write("other", entry(b"2", await present(l2)))

    asyncio.run(run())


@pytest.mark.parametrize("saved", [False, True])
def test_an_invalidation_outlives_a_restart(own_server: Valkey, *, saved: bool) -> None:
    """What the server saved is older than what it acknowledged: it is not to be believed."""

    async def run() -> None:
        store = RedisStore(own_server)
        async with await store.open() as l2, await store.open() as idle:
            before = await present(l2)
            await present(idle)
            await l2.write("k", entry(b"1", before, "a"))
            if saved:
                own_server.command("SAVE")
            await l2.invalidate(["a"])
            own_server.restart()
            assert own_server.command("DBSIZE") == (3 if saved else 0)
            assert await payload(idle, "k") is None
            assert await payload(l2, "k") is None
            assert not await l2.write("k", entry(b"1", before, "a"))
            assert await l2.write("k", entry(b"2", await present(l2), "a"))
            assert await payload(idle, "k") == b"2"
            own_server.command("SCRIPT", "FLUSH")
            assert await payload(l2, "k") == b"2"

    asyncio.run(run())


def test_foreign_values_are_no_entries(redis_store: RedisStore) -> None:
    async def run() -> None:
        prefix, command = f"{{{redis_store.namespace}}}:", redis_store.server.command
        async with await redis_store.open() as l2:
            now = await present(l2)
            command("SET", f"{prefix}e:text", "foreign")
            command("LPUSH", f"{prefix}e:list", "foreign")
            await l2.write("cut", entry(b"1", now, "a"))
            record = command("GET", f"{prefix}e:cut")
            for length in range(len(record)):
                command("SET", f"{prefix}e:cut", record[:length])
                assert await payload(l2, "cut") in (None, b"")
            for key in ("text", "list", "cut"):
                assert await payload(l2, key) in (None, b"")
                assert await l2.write(key, entry(b"1", now))
                assert await payload(l2, key) == b"1"
            command("DEL", f"{prefix}v")
            command("SET", f"{prefix}v", "foreign")
            with pytest.raises(SecondLevelError, match="WRONGTYPE"):
                await present(l2)

    asyncio.run(run())


def test_a_full_server_still_reads_and_invalidates() -> None:
    async def run(server: Valkey) -> None:
        async with await RedisStore(server).open() as l2:
            now = await present(l2)
            await l2.write("k", entry(b"1", now, "a"))
            await l2.write("kept", entry(b"1", now, "b"))
            server.command("CONFIG", "SET", "maxmemory", "1")
            assert await l2.write("k", entry(b"new", now, "a")), "dropped, not refused"
            assert await payload(l2, "k") == b"1"
            await l2.put("k", entry(b"2", UNKNOWN, "a"))
            assert await payload(l2, "k") is None
            await l2.invalidate(["b"])
            assert await payload(l2, "kept") is None
            server.command("CONFIG", "SET", "maxmemory", "0")
            await l2.put("k", entry(b"3", UNKNOWN, "a"))
            assert await payload(l2, "k") == b"3"

    with valkey() as server:
        asyncio.run(run(server))


def test_evicting_everything_never_brings_back_what_is_stale() -> None:
    """The server may evict any key, those of the notes too."""

    async def run(server: Valkey) -> None:
        async with await RedisStore(server).open() as l2:
            for number in range(300):
                version = await present(l2)
                await l2.write(f"k{number}", entry(bytes(10_000), version, "a"))
                await l2.write("watched", entry(b"%d" % number, version, "a"))
                await l2.invalidate(["a"])
                assert await payload(l2, "watched") is None
                assert not await l2.write("watched", entry(b"old", version, "a"))
        assert server.command("INFO", "stats")["evicted_keys"] > 50

    with valkey(**{"maxmemory": "3mb", "maxmemory-policy": "allkeys-random"}) as server:
        asyncio.run(run(server))


@pytest.mark.parametrize("trouble", ["freeze", "pause", "kill"])
def test_a_server_that_does_not_answer_is_an_error_in_time(
    own_server: Valkey, trouble: str
) -> None:
    async def run() -> None:
        async with RedisL2(own_server.url, timeout=0.2) as l2:
            await insisted(lambda: l2.put("k", entry(b"1", UNKNOWN)))
            if trouble == "pause":
                own_server.command("CLIENT", "PAUSE", 3_600_000, "ALL")
            else:
                getattr(own_server, trouble)()
            async with asyncio.timeout(60):
                for call in (l2.read([]), l2.invalidate(["a"]), l2.delete(["k"]), l2.clear()):
                    with pytest.raises(SecondLevelError):
                        await call
            if trouble == "kill":
                own_server.start()
            elif trouble == "freeze":
                own_server.thaw()
            else:
                return
            await insisted(lambda: l2.put("k", entry(b"2", UNKNOWN)))
            assert await insisted(lambda: payload(l2, "k")) == b"2"

    asyncio.run(run())


@pytest.mark.parametrize("change", ["delete", "invalidate"])
def test_a_late_put_does_not_undo_what_came_after_it(redis_store: RedisStore, change: str) -> None:
    """Its caller was told that it failed; it arrives when the network lets it."""

    async def run() -> None:
        async with (
            fault_proxy(redis_store.server.port) as proxy,
            RedisL2(
                f"redis://127.0.0.1:{proxy.port}", namespace=redis_store.namespace, timeout=0.2
            ) as slow,
            await redis_store.open() as l2,
        ):
            await insisted(lambda: slow.put("other", entry(b"1", UNKNOWN)))
            proxy.swallow()
            with pytest.raises(SecondLevelError):
                await slow.put("k", entry(b"late", UNKNOWN, "k"))
            later = await getattr(l2, change)(["k"])
            calls = redis_store.server.calls()["evalsha"]
            proxy.flow()
            await eventually(lambda: redis_store.server.calls()["evalsha"] > calls)
            assert await payload(l2, "k") is None
            assert await present(l2) == later

    asyncio.run(run())


def test_connections_that_are_cut_are_opened_again(redis_store: RedisStore) -> None:
    async def run() -> None:
        async with (
            fault_proxy(redis_store.server.port) as proxy,
            RedisL2(
                f"redis://127.0.0.1:{proxy.port}", namespace=redis_store.namespace, timeout=60
            ) as l2,
        ):
            await l2.put("k", entry(bytes(1000), UNKNOWN))
            for _ in range(3):
                proxy.cut()
                assert await payload(l2, "k") == bytes(1000)
            for after in (0, 1, 20, 500):
                proxy.truncate(after)
                assert await payload(l2, "k") == bytes(1000)
            proxy.refuse()
            with pytest.raises(SecondLevelError):
                await present(l2)
            proxy.accept()
            assert await payload(l2, "k") == bytes(1000)

    asyncio.run(run())


def test_what_is_read_at_once_is_read_in_one_trip(redis_store: RedisStore) -> None:
    async def run() -> None:
        async with await redis_store.open() as l2:
            now = await present(l2)
            for number in range(0, 100, 2):
                await l2.write(f"k{number}", entry(b"%d" % number, now, "a", f"t{number}"))
            redis_store.server.command("CONFIG", "RESETSTAT")
            found = await asyncio.gather(*(payload(l2, f"k{n}", f"u{n}") for n in range(100)))
            assert found == [None if n % 2 else b"%d" % n for n in range(100)]
            assert redis_store.server.calls()["evalsha"] == 1

    asyncio.run(run())


def test_who_is_cancelled_takes_nobody_along(redis_store: RedisStore) -> None:
    async def run() -> None:
        async with await redis_store.open() as l2:
            await l2.put("k", entry(b"1", UNKNOWN))
            readers = [asyncio.create_task(payload(l2, "k")) for _ in range(3)]
            await asyncio.sleep(0)
            readers[0].cancel()
            assert await asyncio.gather(*readers[1:]) == [b"1", b"1"]
            assert readers[0].cancelled()

    asyncio.run(run())


def test_as_many_commands_as_connections(redis_store: RedisStore) -> None:
    """Whoever comes beyond that waits; nobody is told that there are too many."""

    async def run() -> None:
        async with (
            fault_proxy(redis_store.server.port) as proxy,
            RedisL2(
                f"redis://127.0.0.1:{proxy.port}",
                namespace=redis_store.namespace,
                timeout=60,
                max_commands=3,
            ) as l2,
        ):
            now = await present(l2)
            await asyncio.gather(*(l2.write(f"k{n}", entry(b"1", now)) for n in range(500)))
            assert proxy.connections == 3 + 1, "one introduced the namespace"

    asyncio.run(run())


def test_another_event_loop_is_refused(redis_store: RedisStore) -> None:
    l2 = asyncio.run(redis_store.open())

    async def use() -> None:
        await present(l2)

    async def use_and_close() -> None:
        await present(l2)
        await l2.close()

    asyncio.run(use_and_close())
    with pytest.raises(SecondLevelError, match="another event loop"):
        asyncio.run(use())


def test_the_server_forgets_in_the_end(redis_store: RedisStore) -> None:
    async def run() -> None:
        async with RedisL2(
            redis_store.server.url, namespace=redis_store.namespace, max_kept=100, timeout=60
        ) as l2:
            await l2.put("k", entry(b"1", UNKNOWN))
            key = f"{{{redis_store.namespace}}}:e:k"
            assert 0 < redis_store.server.command("PTTL", key) <= 100_000
            found = await look(l2, "k")
            assert found is not None
            assert found.kept_until == float("inf")

    asyncio.run(run())


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": ""},
        {"namespace": "a}b"},
        {"timeout": 0},
        {"max_commands": 0},
        {"max_kept": 0},
        {"max_notes": 0},
    ],
)
def test_options_are_checked(wrong: dict[str, float | str]) -> None:
    (option,) = wrong
    with pytest.raises(CacheOptionError, match=option):
        RedisL2("redis://127.0.0.1", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("former", ["number", "incarnation"])
def test_a_server_that_has_fallen_behind_is_not_believed(
    redis_store: RedisStore, former: str
) -> None:
    """A primary that has become a replica still knows the scripts, and answers reads."""

    async def run() -> None:
        async with await redis_store.open() as l2:
            await l2.put("k", entry(b"1", UNKNOWN, "a"))
            server = redis_store.server
            name = f"{{{redis_store.namespace}}}:v"
            notes = server.command("DUMP", name)
            if former == "incarnation":
                server.command("DEL", name)
            await l2.invalidate(["a"])
            server.command("RESTORE", name, 0, notes, "REPLACE")
            with pytest.raises(SecondLevelError, match="behind"):
                await payload(l2, "k")
            assert await payload(l2, "k") is None, "it has begun anew"
            version = await present(l2)
            assert await l2.write("k", entry(b"2", version, "a"))
            assert await payload(l2, "k") == b"2"

    asyncio.run(run())
