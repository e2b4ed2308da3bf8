"""One fetch for all who want a value, whoever of them leaves."""

import asyncio
import threading
import traceback
from typing import Any

import pytest
from tests.cache.hierarchical.support import Doors, MemoryL2, Origin, asynchronous, idle, make

from meshaccel.errors import FetchCancelledError


@asynchronous
async def test_thousand_callers_are_one_call() -> None:
    cache, origin = make(MemoryL2()), Origin("value")
    assert set(await asyncio.gather(*(cache.get("key", origin) for _ in range(1000)))) == {"value"}
    assert origin.calls == 1
    assert cache.stats().under_way == 0


@asynchronous
async def test_one_failure_for_a_hundred_waiters_and_none_is_kept() -> None:
    """Elsewhere each of them calls again, or the error stays in the cache."""
    cache, origin = make(MemoryL2()), Origin(1)
    origin.error = LookupError("gone")
    calls = [cache.get("key", origin) for _ in range(100)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {str(each) for each in outcomes} == {"gone"}
    assert origin.calls == 1
    origin.error = None
    assert await cache.get("key", origin) == 1


@asynchronous
async def test_traceback_does_not_grow_with_the_waiters() -> None:
    cache, origin = make(), Origin(1)
    origin.error = LookupError("gone")

    async def depth() -> int:
        with pytest.raises(LookupError) as caught:
            await cache.get("key", origin)
        return len(traceback.extract_tb(caught.value.__traceback__))

    depths = await asyncio.gather(*(depth() for _ in range(20)))
    assert max(depths) < 20


@asynchronous
async def test_first_caller_may_be_cancelled() -> None:
    """Elsewhere all others are cancelled with it, and the cancellation stays in the cache."""
    cache, origin = make(), Origin(1)
    origin.gate.clear()
    first, *others = [asyncio.ensure_future(cache.get("key", origin)) for _ in range(5)]
    await idle()
    first.cancel()
    await idle()
    assert first.cancelled()
    origin.gate.set()
    assert await asyncio.gather(*others) == [1, 1, 1, 1]
    assert (origin.calls, origin.cancelled) == (1, 0)


@asynchronous
async def test_any_waiter_may_be_cancelled() -> None:
    cache, origin = make(), Origin(1)
    origin.gate.clear()
    callers = [asyncio.ensure_future(cache.get("key", origin)) for _ in range(5)]
    await idle()
    for caller in callers[1:4]:
        caller.cancel()
    await idle()
    origin.gate.set()
    assert [await callers[0], await callers[4], origin.calls] == [1, 1, 1]


@asynchronous
async def test_last_one_who_leaves_stops_the_fetch() -> None:
    cache, origin = make(), Origin(1)
    origin.gate.clear()
    callers = [asyncio.ensure_future(cache.get("key", origin)) for _ in range(3)]
    await idle()
    for caller in callers:
        caller.cancel()
    await idle()
    assert (origin.calls, origin.cancelled, cache.stats().under_way) == (1, 1, 0)
    origin.gate.set()
    assert await cache.get("key", origin) == 1


@asynchronous
async def test_nobody_joins_a_fetch_that_is_being_stopped() -> None:
    cache, origin = make(), Origin(1)
    origin.gate.clear()
    only = asyncio.ensure_future(cache.get("key", origin))
    await idle()
    only.cancel()
    await asyncio.wait([only])
    origin.gate.set()
    assert await cache.get("key", origin) == 1
    assert origin.calls == 2


@asynchronous
async def test_leaving_while_the_second_level_is_written_loses_nothing() -> None:
    """The value is there already."""
    l2 = Doors(MemoryL2(), "write")
    cache, origin = make(l2), Origin(1)
    only = asyncio.ensure_future(cache.get("key", origin))
    await idle()
    only.cancel()
    await l2.open()
    assert cache.get_now("key") == 1
    assert await make(l2).get("key") == 1


@asynchronous
async def test_function_that_is_cancelled_from_within_cancels_nobody() -> None:
    cache = make()

    async def fetch() -> int:
        raise asyncio.CancelledError

    outcomes = await asyncio.gather(
        *(cache.get("key", fetch) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [FetchCancelledError] * 3


@asynchronous
async def test_function_may_use_the_cache() -> None:
    cache = make(MemoryL2())

    async def outer() -> int:
        inner = await cache.get("inner", lambda: 1)
        await cache.invalidate_by_tag("unrelated")
        return int(inner) + 1

    assert await asyncio.gather(*(cache.get("outer", outer) for _ in range(3))) == [2, 2, 2]


def in_thread(work: Any) -> threading.Thread:
    """Run a coroutine function in a loop of its own thread."""
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    return thread


def test_loops_share_a_fetch() -> None:
    """Elsewhere the second loop waits for ever, or fails: the lock belongs to the first."""
    cache = make()
    started, finish = threading.Event(), threading.Event()
    got: list[int] = []
    calls: list[int] = []

    async def fetch() -> int:
        calls.append(1)
        started.set()
        await asyncio.to_thread(finish.wait)
        return 1

    async def call() -> None:
        got.extend(await asyncio.gather(*(cache.get("key", fetch) for _ in range(10))))

    async def call_later() -> None:
        joining = asyncio.gather(*(cache.get("key", fetch) for _ in range(10)))
        await idle()
        finish.set()
        got.extend(await joining)

    first = in_thread(call)
    assert started.wait(60)
    second = in_thread(call_later)
    first.join(60)
    second.join(60)
    assert (got, calls) == ([1] * 20, [1])


def test_loop_that_ends_leaves_the_fetch_to_others() -> None:
    cache = make()
    started, ended = threading.Event(), threading.Event()
    got: list[Any] = []

    async def never() -> int:
        started.set()
        await asyncio.Event().wait()
        return 0

    async def leave() -> None:
        asyncio.ensure_future(cache.get("key", never)).add_done_callback(got.append)
        await asyncio.to_thread(ended.wait)

    async def stay() -> None:
        joined = asyncio.ensure_future(cache.get("key", lambda: 1))
        await idle()
        ended.set()
        got.append(await joined)

    first = in_thread(leave)
    assert started.wait(60)
    second = in_thread(stay)
    first.join(60)
    second.join(60)
    assert 1 in got


def test_loop_that_stopped_midway_blocks_nobody() -> None:
    """Its fetch stands still for ever; the next caller begins another."""
    cache = make()
    loop = asyncio.new_event_loop()

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    task: asyncio.Task[int] = loop.create_task(cache.get("key", never))  # type: ignore[arg-type]
    loop.run_until_complete(idle())
    assert cache.stats().under_way == 1

    async def call() -> int:
        value: int = await cache.get("key", lambda: 1)
        return value

    assert asyncio.run(call()) == 1
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.run_until_complete(idle())
    loop.close()


@asynchronous
async def test_nothing_is_left_of_keys_that_were_fetched() -> None:
    """Elsewhere a lock per key stays for ever."""
    cache = make(MemoryL2())
    for number in range(300):
        await cache.get(f"{number}", lambda: 1)
    await idle()
    parts = cache._parts
    assert (len(parts.fetches), len(parts.tasks._tasks)) == (0, 0)
    await cache.invalidate_by_tag("t")
    parts.first.fresh.validate()  # finds notes that are kept without a flight
    parts.first.old.validate()


def test_loop_that_ends_before_the_fetch_began_leaves_nobody_waiting() -> None:
    """Its task is cancelled without a step of it, while another loop has already joined."""
    cache, joined, outcome = make(), threading.Event(), list[object]()

    async def elsewhere() -> None:
        reading = asyncio.ensure_future(cache.get("key", Origin("theirs")))
        await idle()
        joined.set()
        outcome.append(await asyncio.wait_for(reading, 60))

    def meet() -> None:
        assert cache.stats().under_way == 1
        thread.start()
        joined.wait()

    async def leave() -> None:
        readings.append(asyncio.ensure_future(cache.get("key", Origin("ours"))))
        # In the last turn of the loop: the task of the fetch is made, but does not run.
        asyncio.get_running_loop().call_soon(meet)

    readings = list[asyncio.Future[object]]()
    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    asyncio.run(leave())
    thread.join()
    assert outcome == ["theirs"]


@asynchronous
async def test_value_that_cannot_be_frozen_is_an_error_of_its_own_key_only() -> None:
    def freeze(value: object) -> object:
        if value == "bad":
            raise ValueError(value)
        return value

    async def fetch(keys: list[str]) -> dict[str, object]:
        await gate.wait()
        return {key: key for key in keys}

    l2, gate = MemoryL2(), asyncio.Event()
    cache = make(l2, freeze=freeze)
    both = asyncio.ensure_future(cache.get_many(["good", "bad"], fetch))
    await idle()
    joined = asyncio.ensure_future(cache.get("good", Origin("another")))
    await idle()
    gate.set()
    with pytest.raises(ValueError, match="bad"):
        await both
    assert await joined == "good"
    assert set(l2.entries) == {"good"}
