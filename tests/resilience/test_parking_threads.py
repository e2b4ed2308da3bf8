"""The parking breaker, shared by threads and event loops."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.resilience.support import Busy, Table

from meshaccel.errors import CircuitOpenError
from meshaccel.resilience import CircuitBreaker, ErrorHandlingMiddleware, Permit, RetryPolicy
from meshaccel.resilience.parking import ParkingBreaker
from meshaccel.resilience.testing import VirtualTime

THREADS = 4


def tripped(time: VirtualTime) -> ParkingBreaker:
    """A breaker that lets a probe through now, and another one in an hour."""
    breaker = ParkingBreaker(clock=time.clock, patience_s=3600.0, uniform=lambda low, _: low)
    for _ in range(5):
        assert breaker.try_enter()
    for _ in range(5):
        breaker.failure()
    time.now += 10.0
    return breaker


async def _enter(breaker: ParkingBreaker) -> Permit:
    return await breaker.enter(None)


def test_a_thread_lets_those_go_who_wait_in_a_loop(time: VirtualTime) -> None:
    """It may not wake them itself: a loop that sleeps would not notice."""
    breaker = tripped(time)
    probe = asyncio.run(_enter(breaker))

    async def main() -> None:
        waiting = asyncio.create_task(_enter(breaker))
        await asyncio.sleep(0)
        assert breaker.stats().parked == 1
        with ThreadPoolExecutor(1) as thread:
            told = thread.submit(probe.success, 0.01)
            async with asyncio.timeout(60):
                (await waiting).success(0.01)
            told.result()

    asyncio.run(main(), debug=True)  # in which a loop notices calls from other threads
    assert breaker.state == "closed"
    assert breaker.stats().in_flight == 0


def test_a_loop_that_was_closed_holds_nobody_up(time: VirtualTime) -> None:
    """Nor does who was left in it."""
    breaker = tripped(time)
    probe = asyncio.run(_enter(breaker))
    loop = asyncio.new_event_loop()
    left = loop.create_task(_enter(breaker))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert breaker.stats().parked == 1
    probe.failure()
    time.now += 10.0

    async def main() -> None:
        async with asyncio.timeout(60):
            (await _enter(breaker)).success(0.01)

    asyncio.run(main())
    assert breaker.state == "closed"
    left.get_coro().close()
    del left


def test_threads_and_a_loop_share_a_breaker() -> None:
    """Through the middleware, while the dependency comes and goes; all of it is given back."""
    errors = ErrorHandlingMiddleware(classifier=Table(), uniform=lambda low, _: low)
    breaker = ParkingBreaker(trip_after=3, probe_s=0.0005, max_probe_s=0.001)
    errors.policy("op", RetryPolicy(deadline_s=30.0), breaker=breaker)
    asked = 0

    def ask() -> int:
        nonlocal asked
        asked += 1
        if asked % 200 < 20:
            raise Busy
        return asked

    async def ask_async() -> int:
        await asyncio.sleep(0)
        return ask()

    def from_a_thread() -> None:
        for _ in range(500):
            with suppress(Busy, CircuitOpenError):
                errors.run_sync("op", ask)

    async def main() -> None:
        threads = [asyncio.to_thread(from_a_thread) for _ in range(THREADS)]
        calls = [errors.run("op", ask_async) for _ in range(500)]
        async with asyncio.timeout(60):
            results = await asyncio.gather(*threads, *calls)
        assert all(results[THREADS:])  # who can wait does, and none is lost

    asyncio.run(main())
    assert (breaker.stats().parked, breaker.stats().in_flight) == (0, 0)
    assert breaker.stats().trips > 0


@pytest.mark.parametrize("kind", ["circuit", "parking"])
def test_what_is_dropped_meanwhile_holds_nobody_up(time: VirtualTime, kind: str) -> None:
    """The collector may close a coroutine within a breaker's own step, which holds its lock."""
    kept: list[object] = []

    def chance(low: float, _: float) -> float:
        kept.clear()
        gc.collect()
        return low

    breaker: CircuitBreaker | ParkingBreaker
    if kind == "circuit":
        breaker = CircuitBreaker(clock=time.clock, uniform=chance, min_calls=1, probes=2)
    else:
        breaker = ParkingBreaker(clock=time.clock, uniform=chance, trip_after=1)
    assert breaker.try_enter()
    breaker.failure()
    time.now += 10.0

    async def held() -> None:
        permit = await breaker.enter(None)
        try:
            await asyncio.Event().wait()
        finally:
            permit.release()

    async def start() -> None:
        coroutine = held()
        coroutine.send(None)
        kept.append(coroutine)

    probe = asyncio.run(breaker.enter(None))
    asyncio.run(start())
    failing = threading.Thread(target=probe.failure, daemon=True)
    failing.start()
    failing.join(60)
    assert not failing.is_alive()
    assert kept == []
