"""A store that is away: what was acknowledged meanwhile holds, and nobody is told of errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cache.hierarchical.support import MemoryL2
from tests.cache.level2.support import entry, insisted, payload, present
from tests.pool.support import eventually
from tests.valkey import Valkey, valkey

from meshaccel.cache.level2 import UNKNOWN, Level2, Reading, StoredEntry, Version, Wanted
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.resilient_l2 import READ, WRITE, ResilientL2
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.errors import CacheNameError, CacheOptionError, SecondLevelError
from meshaccel.resilience import ONCE, CircuitBreaker, ErrorHandlingMiddleware, RetryPolicy

Change = Callable[[Level2], Awaitable[Version]]


class Unreliable:
    """A store that is away while told so, before or after it has done what it was asked."""

    def __init__(self, l2: Level2) -> None:
        self._l2 = l2
        self.away = False
        self.answers_lost = False
        self.hangs = False
        self.calls: list[str] = []

    async def _do(self, name: str, *arguments: Any) -> Any:
        self.calls.append(name)
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.away:
            raise SecondLevelError("away")
        result = await getattr(self._l2, name)(*arguments)
        if self.answers_lost:
            raise SecondLevelError("the answer is lost")
        return result

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """As the store."""
        reading: Reading = await self._do("read", wanted)
        return reading

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """As the store."""
        return bool(await self._do("write", key, entry))

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """As the store."""
        version: Version = await self._do("put", key, entry)
        return version

    async def delete(self, keys: Sequence[str]) -> Version:
        """As the store."""
        version: Version = await self._do("delete", keys)
        return version

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """As the store."""
        version: Version = await self._do("invalidate", tags)
        return version

    async def expire(self, tags: Sequence[str]) -> Version:
        """As the store."""
        version: Version = await self._do("expire", tags)
        return version

    async def clear(self) -> Version:
        """As the store."""
        version: Version = await self._do("clear")
        return version

    async def close(self) -> None:
        """As the store."""
        await self._l2.close()


@asynccontextmanager
async def unreliable(path: Path, **options: Any) -> AsyncIterator[tuple[Unreliable, ResilientL2]]:
    """A store in a file, what makes it fail, and what hides that."""
    store = Unreliable(await SqliteL2.open(path / "l2.db"))
    breaker = CircuitBreaker(min_calls=2, open_s=0.01)
    async with ResilientL2(store, **{"timeout": 60, "breaker": breaker, **options}) as l2:
        yield store, l2
        store.away = store.answers_lost = store.hangs = False


@contextmanager
def impatient(l2: ResilientL2) -> Iterator[None]:
    """Let it give up soon what hangs."""
    patience, l2._timeout = l2._timeout, 0.05
    yield
    l2._timeout = patience


async def hidden(l2: Level2, key: str) -> bool:
    """Whether nothing is found, be it that nobody answers."""
    try:
        return await payload(l2, key) is None
    except SecondLevelError:
        return True


CHANGES: dict[str, Change] = {
    "invalidate": lambda l2: l2.invalidate(["a"]),
    "delete": lambda l2: l2.delete(["k"]),
    "put": lambda l2: l2.put("k", entry(b"2", UNKNOWN, "a")),
    "clear": lambda l2: l2.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("fault", ["away", "answers_lost", "hangs"])
def test_what_was_acknowledged_while_the_store_was_away_holds(
    tmp_path: Path, change: str, fault: str
) -> None:
    async def run() -> None:
        async with unreliable(tmp_path) as (store, l2):
            before = await present(l2)
            await l2.write("k", entry(b"1", before, "a"))
            setattr(store, fault, True)
            with impatient(l2):
                with pytest.raises(SecondLevelError):
                    await CHANGES[change](l2)
                assert await hidden(l2, "k")
            assert l2.stats().pending == 1
            setattr(store, fault, False)
            await eventually(lambda: l2.stats().pending == 0)
            store.calls.clear()
            assert await payload(l2, "k") is None
            assert store.calls == ["read"]
            assert not await l2.write("k", entry(b"1", before, "a"))
            assert await present(l2) > before

    asyncio.run(run())


def test_a_read_is_not_believed_before_the_store_was_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with unreliable(tmp_path, breaker=CircuitBreaker(min_calls=1000)) as (store, l2):
            await l2.put("k", entry(b"1", UNKNOWN, "a"))
            store.away = True
            for change in (l2.invalidate(["a"]), l2.delete(["gone"]), l2.expire(["x"])):
                with pytest.raises(SecondLevelError):
                    await change
            store.away = False
            store.calls.clear()
            found = await asyncio.gather(*(payload(l2, "k") for _ in range(3)))
            assert found == [None] * 3
            assert store.calls == ["delete", "invalidate", "expire", *["read"] * 3]
            assert l2.stats().replayed == 1

    asyncio.run(run())


def test_while_it_is_away_only_its_own_error_is_raised(tmp_path: Path) -> None:
    async def run() -> None:
        async with unreliable(tmp_path) as (store, l2):
            version = await present(l2)
            await l2.write("k", entry(b"1", version))
            store.away = True
            with pytest.raises(SecondLevelError):
                await l2.read([Wanted("k"), Wanted("j")])
            with pytest.raises(SecondLevelError):
                await l2.write("k", entry(b"2", version))
            assert not await l2.write("k", entry(b"2", UNKNOWN))
            store.away = False
            await asyncio.sleep(0.02)  # until the breaker lets a call through
            assert await payload(l2, "k") == b"1"
            assert l2.stats().pending == 0

    asyncio.run(run())


def test_an_open_circuit_spares_the_store(tmp_path: Path) -> None:
    async def run() -> None:
        breaker = CircuitBreaker(min_calls=2, open_s=1000)
        async with unreliable(tmp_path, breaker=breaker) as (store, l2):
            store.away = True
            await asyncio.gather(*(present(l2) for _ in range(5)), return_exceptions=True)
            assert breaker.state == "open"
            store.calls.clear()
            for _ in range(5):
                for call in (present(l2), l2.invalidate(["a"])):
                    with pytest.raises(SecondLevelError, match="CircuitOpenError"):
                        await call
            assert store.calls == []
            operations = l2.stats().operations
            assert operations[READ].refused
            assert operations[WRITE].refused
            assert (operations[READ].breaker, l2.stats().pending) == ("open", 1)

    asyncio.run(run())


def test_too_much_pending_becomes_clear(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with unreliable(tmp_path, max_pending=10) as (store, l2):
            await l2.put("k", entry(b"1", UNKNOWN, "never named"))
            store.away = True
            for number in range(30):
                with pytest.raises(SecondLevelError):
                    await l2.invalidate([f"tag{number}"])
            stats = l2.stats()
            assert (stats.pending, stats.overflows) == (1, 1)
            store.away = False
            await eventually(lambda: l2.stats().pending == 0)
            assert "clear" in store.calls
            assert await payload(l2, "k") is None

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "more than 10 invalidations are pending" in caplog.text


def test_a_caller_who_gives_up_leaves_the_invalidation(tmp_path: Path) -> None:
    async def run() -> None:
        async with unreliable(tmp_path) as (store, l2):
            await l2.put("k", entry(b"1", UNKNOWN, "a"))
            store.hangs = True
            caller = asyncio.create_task(l2.invalidate(["a"]))
            await eventually(lambda: "invalidate" in store.calls)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            store.hangs = False
            assert await payload(l2, "k") is None

    asyncio.run(run())


def test_closing_tells_what_is_pending(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with unreliable(tmp_path, breaker=CircuitBreaker(min_calls=1000)) as (store, l2):
            await l2.put("k", entry(b"1", UNKNOWN, "a"))
            store.away = True
            with pytest.raises(SecondLevelError):
                await l2.invalidate(["a"])
        async with unreliable(tmp_path) as (_, l2):
            assert await payload(l2, "k") is None
        store = Unreliable(await SqliteL2.open(tmp_path / "l2.db"))
        lost = ResilientL2(store)
        store.away = True
        with pytest.raises(SecondLevelError):
            await lost.invalidate(["a"])
        await lost.close()

    asyncio.run(run())
    assert "closed before the store was told of 1 invalidations" in caplog.text


TROUBLES: dict[str, tuple[Callable[[Valkey], object], Callable[[Valkey], object]]] = {
    "restart": (Valkey.restart, lambda _: None),
    "kill": (Valkey.kill, Valkey.start),
    "freeze": (Valkey.freeze, Valkey.thaw),
    "pause": (lambda server: server.command("CLIENT", "PAUSE", 1000, "ALL"), lambda _: None),
    "flush": (lambda server: server.command("FLUSHALL"), lambda _: None),
    "full": (
        lambda server: server.command("CONFIG", "SET", "maxmemory", "1"),
        lambda server: server.command("CONFIG", "SET", "maxmemory", "0"),
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_real_server_in_trouble(trouble: str) -> None:
    begin, end = TROUBLES[trouble]

    async def run(server: Valkey) -> None:
        breaker = CircuitBreaker(min_calls=2, window_s=0.5, open_s=0.2)
        async with ResilientL2(
            RedisL2(server.url, timeout=0.2), timeout=0.5, breaker=breaker
        ) as l2:
            before = await insisted(lambda: present(l2))

            async def write_old(number: int) -> bool:
                return await l2.write(f"k{number}", entry(b"1", before, f"t{number}"))

            async def write_new() -> bool:
                return await l2.write("k", entry(b"2", await present(l2), "t1"))

            for number in range(20):
                await insisted(partial(write_old, number))
            begin(server)
            for number in range(20):
                with suppress(SecondLevelError):
                    await l2.invalidate([f"t{number}"])
                assert await hidden(l2, f"k{number}")
            end(server)
            await eventually(lambda: l2.stats().pending == 0)
            for number in range(20):
                assert await hidden(l2, f"k{number}")
                assert not await insisted(partial(write_old, number))
            assert await insisted(write_new)
            assert await insisted(lambda: payload(l2, "k")) == b"2"

    with valkey() as server:
        asyncio.run(run(server))


def test_bad_names_and_options(tmp_path: Path) -> None:
    async def run() -> None:
        async with unreliable(tmp_path) as (_, l2):
            wrong: Any = 5
            for call in (l2.invalidate([wrong]), l2.delete([wrong]), l2.expire([wrong])):
                with pytest.raises(CacheNameError):
                    await call
            assert l2.stats().pending == 0
            for option in ("timeout", "max_pending"):
                nothing: dict[str, Any] = {option: 0}
                with pytest.raises(CacheOptionError, match=option):
                    ResilientL2(l2, **nothing)

    asyncio.run(run())


@pytest.mark.parametrize("hangs", [False, True], ids=["not begun", "under way"])
def test_the_store_is_told_by_the_next_loop_if_one_ends_while_telling(*, hangs: bool) -> None:
    """Even if the task that tells was not begun: what is under way is nobody's then."""
    store = Unreliable(MemoryL2())
    l2 = ResilientL2(store, breaker=CircuitBreaker(min_calls=1000))

    async def leave_behind() -> None:
        await l2.put("k", entry(b"1", UNKNOWN, "a"))
        store.away = True
        with pytest.raises(SecondLevelError):
            await l2.invalidate(["a"])
        store.away, store.hangs = False, hangs
        readings.append(asyncio.ensure_future(payload(l2, "k")))
        if hangs:
            await eventually(lambda: "invalidate" in store.calls[2:])

    async def go_on() -> None:
        store.hangs = False
        assert await asyncio.wait_for(payload(l2, "k"), 60) is None
        assert l2.stats().pending == 0
        await l2.close()

    readings = list[asyncio.Future[bytes | None]]()
    asyncio.run(leave_behind())
    asyncio.run(go_on())


def test_a_loop_that_stopped_in_the_midst_holds_nobody_up() -> None:
    store = Unreliable(MemoryL2())
    l2 = ResilientL2(store, breaker=CircuitBreaker(min_calls=1000))
    stopped = asyncio.new_event_loop()

    async def leave_behind() -> None:
        await l2.put("k", entry(b"1", UNKNOWN, "a"))
        store.away = True
        with pytest.raises(SecondLevelError):
            await l2.invalidate(["a"])
        store.away, store.hangs = False, True
        readings.append(asyncio.ensure_future(payload(l2, "k")))
        await eventually(lambda: "invalidate" in store.calls[2:])

    async def go_on() -> None:
        store.hangs = False
        assert await asyncio.wait_for(payload(l2, "k"), 60) is None
        assert l2.stats().pending == 0

    readings = list[asyncio.Future[bytes | None]]()
    stopped.run_until_complete(leave_behind())
    asyncio.run(go_on())
    for task in asyncio.all_tasks(stopped):
        task.cancel()
    stopped.run_until_complete(asyncio.gather(*readings, return_exceptions=True))
    stopped.close()


def test_the_deadline_of_a_caller_does_not_concern_what_is_pending() -> None:
    """Others wait for the same; the caller's own read is too late."""
    store, now = Unreliable(MemoryL2()), [0.0]
    errors = ErrorHandlingMiddleware(default=ONCE, clock=lambda: now[0])
    errors.policy("answer", RetryPolicy(attempts=1, deadline_s=1))
    l2 = ResilientL2(store, errors=errors)

    async def answer() -> None:
        store.away = True
        with pytest.raises(SecondLevelError):
            await l2.invalidate(["a"])
        store.away = False
        now[0] = 2.0
        with pytest.raises(SecondLevelError, match="DeadlineExceededError"):
            await payload(l2, "k")
        assert l2.stats().pending == 0

    asyncio.run(errors.run("answer", answer))
