"""The parking breaker, in virtual time."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import async_solipsism
import pytest

from meshaccel.errors import CircuitOpenError, PolicyError
from meshaccel.resilience.breaker import Breaker, Permit
from meshaccel.resilience.parking import ParkingBreaker
from meshaccel.resilience.parking_lanes import Lanes, Parked
from meshaccel.resilience.parking_window import ReleaseWindow

T = TypeVar("T")


def run(test: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function in virtual time."""

    async def main() -> T:
        return await test()

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        return runner.run(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def even(low: float, high: float) -> float:
    """Chance without surprises."""
    return (low + high) / 2


def new_breaker(
    *, max_parked: int = 1000, patience_s: float = 10.0, usual_s: float | None = 0.01
) -> ParkingBreaker:
    """A breaker that has seen good times, unless ``usual_s`` is None."""
    breaker = ParkingBreaker(
        max_parked=max_parked,
        patience_s=patience_s,
        name="the mill",
        clock=lambda: asyncio.get_running_loop().time(),
        uniform=even,
    )
    for _ in range(20 if usual_s else 0):
        assert breaker.try_enter()
        breaker.success(usual_s or 0.0)
    return breaker


def trip(breaker: ParkingBreaker) -> None:
    for _ in range(5):
        assert breaker.try_enter()
    for _ in range(5):
        breaker.failure()
    assert breaker.state == "open"


async def settle() -> None:
    """Let all tasks go as far as they can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_it_is_a_breaker() -> None:
    breaker: Breaker = ParkingBreaker()
    assert breaker.state == "closed"


def test_closed_it_lets_through_without_allocating() -> None:
    breaker = ParkingBreaker()

    def calls() -> int:
        before = sys.getallocatedblocks()
        for _ in range(1000):
            breaker.try_enter()
            breaker.release()
        return sys.getallocatedblocks() - before

    calls()
    assert min(calls() for _ in range(5)) <= 2  # those of the test itself

    async def enter() -> None:
        assert await breaker.enter(None) is breaker

    run(enter)


def test_failures_with_a_success_between_do_not_open_it() -> None:
    async def test() -> None:
        breaker = new_breaker()
        for _ in range(20):
            for _ in range(4):
                breaker.try_enter()
                breaker.failure()
            breaker.try_enter()
            breaker.success(0.01)
        assert breaker.state == "closed"
        assert breaker.stats().in_flight == 0
        trip(breaker)
        assert not breaker.try_enter()

    run(test)


def test_one_probe_at_a_time_after_pauses_that_double() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        probes = []

        async def call() -> None:
            while True:
                permit = await breaker.enter(30.0)
                probes.append(round(now(), 2))
                await asyncio.sleep(0.1)
                permit.failure()

        calls = [asyncio.create_task(call()) for _ in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, CircuitOpenError) for result in results)
        assert now() == pytest.approx(30.0, abs=0.2)
        assert probes[:6] == [0.25, 0.85, 1.95, 4.05, 6.15, 8.25]
        stats = breaker.stats()
        assert stats.probes == stats.released == len(probes)
        assert (stats.parked, stats.in_flight, stats.expired) == (0, 0, 10)

    run(test)


def test_pauses_are_by_chance() -> None:
    async def test() -> None:
        first = []
        for seed in range(50):
            began = now()
            chance = random.Random(seed)  # noqa: S311 - a simulation
            breaker = ParkingBreaker(clock=now, uniform=chance.uniform)
            trip(breaker)
            permit = await breaker.enter(None)
            first.append(now() - began)
            permit.success(0.01)
        assert 0.125 <= min(first) < 0.18
        assert 0.32 < max(first) <= 0.376

    run(test)


def test_the_window_grows_until_the_line_is_empty() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        running = most = 0

        async def call() -> None:
            nonlocal running, most
            permit = await breaker.enter(None)
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            permit.success(0.01)
            sizes.append(most)

        sizes: list[int] = []
        async with asyncio.TaskGroup() as calls:
            for _ in range(40):
                calls.create_task(call())
        # Half of the five that were in flight is the threshold up to which it doubles.
        assert sizes[:5] == [1, 2, 2, 3, 3]
        assert 6 <= most <= 10
        assert breaker.state == "closed"
        assert breaker.stats().released == 40

    run(test)


def test_failures_after_the_return_open_it_again() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        outcomes = iter([True, *[False] * 5])
        attempts = []

        async def call() -> None:
            permit = await breaker.enter(3.0)
            attempts.append(now())
            if next(outcomes, False):
                permit.success(0.01)
            else:
                permit.failure()

        calls = [asyncio.create_task(call()) for _ in range(20)]
        await settle()
        await asyncio.sleep(0.3)
        assert len(attempts) == 6
        assert breaker.state == "open"
        assert breaker.stats().trips == 2
        await asyncio.gather(*calls, return_exceptions=True)

    run(test)


def test_deadlines() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        patient = asyncio.create_task(breaker.enter(None))
        for deadline in (0.1, 0.2):
            with pytest.raises(CircuitOpenError, match="the mill did not come back"):
                await breaker.enter(deadline)
            assert now() == pytest.approx(deadline, abs=0.002)
        with pytest.raises(CircuitOpenError, match="1 calls wait for it"):
            await breaker.enter(now())
        permit = await patient
        assert now() == pytest.approx(0.25, abs=0.002)
        permit.success(0.01)
        assert breaker.stats().expired == 2
        assert breaker.stats().refused == 1

    run(test)


def test_no_more_wait_than_may() -> None:
    async def test() -> None:
        breaker = new_breaker(max_parked=3)
        trip(breaker)
        waiting = [asyncio.create_task(breaker.enter(None)) for _ in range(3)]
        await settle()
        with pytest.raises(CircuitOpenError, match="3 calls wait") as refused:
            await breaker.enter(None)
        assert refused.value.retry_after_s == 0.25
        waiting[0].cancel()
        await settle()
        again = asyncio.create_task(breaker.enter(None))
        await settle()
        assert breaker.stats().parked == 3
        for task in (*waiting[1:], again):
            (await task).success(0.01)

    run(test)


def test_without_a_loop_nobody_waits() -> None:
    """What synchronous callers see: a probe when it is time, and otherwise a refusal at once."""
    time = 0.0
    breaker = ParkingBreaker(clock=lambda: time, uniform=even)
    trip(breaker)

    def enter(deadline: float | None) -> Permit:
        try:
            breaker.enter(deadline).send(None)
        except StopIteration as stop:
            permit: Permit = stop.value
            return permit
        raise AssertionError("it waits")

    with pytest.raises(CircuitOpenError):
        enter(time)
    with pytest.raises(PolicyError, match="event loop"):
        enter(None)
    time = 1.0
    enter(time).success(0.01)
    assert breaker.state == "closed"


def test_two_loops() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        waiting = asyncio.create_task(breaker.enter(None))
        await settle()
        other = asyncio.new_event_loop()
        asyncio._set_running_loop(other)
        coroutine = breaker.enter(None)
        try:
            with pytest.raises(CircuitOpenError, match="another event loop"):
                coroutine.send(None)
        finally:
            asyncio._set_running_loop(waiting.get_loop())
            other.close()
        (await waiting).success(0.01)

    run(test)


def test_it_outlives_its_loop() -> None:
    breaker = new_breaker(usual_s=None)
    breaker._clock = lambda: 0.0

    async def wait() -> None:
        if breaker.state == "closed":
            trip(breaker)
        task = asyncio.create_task(breaker.enter(None))
        await settle()
        assert breaker.stats().parked == 1
        task.cancel()

    run(wait)
    run(wait)
    assert breaker.stats().cancelled == 2
    assert breaker.stats().parked == 0


def test_a_probe_of_which_nothing_is_heard() -> None:
    async def test() -> None:
        breaker = new_breaker(patience_s=5.0)
        trip(breaker)
        lost = await breaker.enter(None)
        second = await breaker.enter(None)
        assert now() == pytest.approx(5.25, abs=0.01)
        others = [asyncio.create_task(breaker.enter(None)) for _ in range(4)]
        await settle()
        second.success(0.01)
        await settle()
        # The window is full of calls that never end.
        assert [other.done() for other in others] == [False, False, False, True]
        assert breaker.stats().state == "half_open"
        assert breaker.stats().in_flight == 2
        (await others[2]).success(0.01)
        assert now() == pytest.approx(10.5, abs=0.01)
        assert breaker.stats().trips == 2
        (await others[1]).success(0.01)
        assert breaker.stats().state == "closed"
        for late in (lost, await others[0], await others[3]):
            late.failure()
        assert breaker.state == "closed"
        assert breaker.stats().in_flight == 0

    run(test)


def test_a_permit_is_used_once() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        permit = await breaker.enter(None)
        permit.release()
        permit.release()
        permit.success(0.01)
        assert breaker.state == "open"
        assert breaker.stats().in_flight == 0
        # A probe that told nothing is made up for at once.
        began = now()
        (await breaker.enter(None)).success(0.01)
        assert now() == began

    run(test)


def test_cancelled_between_being_let_through_and_waking_up() -> None:
    """Its place goes to the next; nobody else could give it back."""

    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        probe = await breaker.enter(None)
        calls = [asyncio.create_task(breaker.enter(None)) for _ in range(4)]
        await settle()
        probe.success(0.01)  # two are let through, the newest first, and have not run yet
        assert breaker.stats().in_flight == 2
        calls[3].cancel()
        calls[2].cancel()
        await settle()
        assert [call.cancelled() for call in calls] == [False, False, True, True]
        assert [call.done() for call in calls] == [True] * 4
        assert breaker.stats().cancelled == 0  # these were no longer waiting
        for call in calls[:2]:
            (await call).success(0.01)
        assert breaker.stats().in_flight == 0
        assert breaker.state == "closed"

    run(test)


def test_the_last_one_who_leaves_stops_the_timer() -> None:
    async def test() -> None:
        breaker = new_breaker()
        trip(breaker)
        call = asyncio.create_task(breaker.enter(None))
        await settle()
        timer = breaker._alarm._timer
        assert timer is not None
        call.cancel()
        await settle()
        assert timer.cancelled()
        assert breaker.stats().cancelled == 1

    run(test)


def test_cancelled_at_every_point() -> None:
    """Whatever step a cancellation falls into, the line goes on and nothing is left behind."""

    async def test(cancel_after: int, *, deadline: float | None) -> None:
        breaker = new_breaker()
        trip(breaker)
        served = []

        async def call(number: int) -> None:
            permit = await breaker.enter(deadline)
            try:
                await asyncio.sleep(0.01)
            except BaseException:
                permit.release()
                raise
            permit.success(0.01)
            served.append(number)

        calls = [asyncio.create_task(call(number)) for number in range(12)]
        await asyncio.sleep(0.2499)  # just before the probe, whose steps are what matters
        for _ in range(cancel_after):
            await asyncio.sleep(0.000_05 if cancel_after < 20 else 0.002)
            if cancel_after % 3 == 0:
                await asyncio.sleep(0)
        for each in calls[::2]:
            each.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results[1::2]] == [
            False
        ] * 6
        assert set(range(1, 12, 2)) <= set(served)
        stats = breaker.stats()
        assert (stats.state, stats.parked, stats.in_flight) == ("closed", 0, 0)
        assert not breaker._lanes._by_arrival
        assert breaker._alarm._timer is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    for steps in range(40):
        for deadline in (None, 20.0):
            run(lambda steps=steps, deadline=deadline: test(steps, deadline=deadline))  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(20))
def test_any_course_of_events_ends_well(seed: int) -> None:
    """Random outcomes, cancellations and deadlines: what is counted adds up, nothing leaks."""
    chance = random.Random(seed)  # noqa: S311 - a simulation

    async def test() -> None:
        breaker = ParkingBreaker(
            max_parked=40, patience_s=1.0, clock=now, uniform=chance.uniform, trip_after=3
        )
        ends: list[str] = []

        async def call() -> None:
            permit: Permit = breaker
            if not breaker.try_enter():
                try:
                    permit = await breaker.enter(chance.choice([None, now() + chance.random()]))
                except CircuitOpenError:
                    ends.append("refused")
                    return
                except asyncio.CancelledError:
                    ends.append("cancelled")
                    raise
            latency = chance.expovariate(20)
            try:
                await asyncio.sleep(latency)
            except asyncio.CancelledError:
                permit.release()
                ends.append("cancelled")
                raise
            broken = 5 < now() < 8
            (permit.failure if broken or chance.random() < 0.1 else lambda: None)()
            if not broken:
                permit.success(latency) if permit is not breaker else breaker.release()
            ends.append("ended")

        tasks = []
        while now() < 15:
            tasks.append(asyncio.create_task(call()))
            await asyncio.sleep(chance.expovariate(100))
            if chance.random() < 0.2:
                chance.choice(tasks).cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        stats = breaker.stats()
        assert stats.parked == 0
        assert breaker._alarm._timer is None
        assert stats.expired + stats.refused == ends.count("refused")

    run(test)


def lanes_of(count: int, loop: asyncio.AbstractEventLoop) -> tuple[Lanes, list[Parked]]:
    lanes = Lanes()
    calls = [Parked(loop.create_future(), 100.0 + number) for number in range(count)]
    for call in calls:
        lanes.add(call)
    return lanes, calls


def test_fifteen_of_a_hundred_are_the_oldest() -> None:
    loop = asyncio.new_event_loop()
    lanes, calls = lanes_of(1000, loop)
    taken = [lanes.take() for _ in range(100)]
    assert sorted(calls.index(call) for call in taken if call) == [
        *range(15),
        *range(915, 1000),
    ]
    loop.close()


def test_lanes_keep_no_trace_of_who_left() -> None:
    loop = asyncio.new_event_loop()
    lanes, calls = lanes_of(5000, loop)
    for call in calls[:4990]:
        assert lanes.discard(call)
        assert not lanes.discard(call)
    assert len(lanes) == 10
    assert len(lanes._by_deadline) <= 84
    calls[-1].future.cancel()
    calls[4990].future.cancel()
    assert lanes.next_deadline == 100.0 + 4990
    assert len(list(lanes.expired(100.0 + 4991))) == 2
    taken = list(iter(lanes.take, None))
    assert len(taken) == 7
    assert lanes.next_deadline == float("inf")
    loop.close()


def seasoned() -> ReleaseWindow:
    window = ReleaseWindow()
    for _ in range(100):
        window.learn(0.01)
    return window


def test_a_window_of_slow_replies_costs_a_tenth_and_of_failures_half() -> None:
    window = seasoned()
    window.begin(200)
    for _ in range(99):
        window.succeeded(0.029)
    assert window.size == 100
    for _ in range(100):
        window.succeeded(0.031)
    assert window.size == pytest.approx(90)
    for _ in range(90):
        window.failed()
    assert window.size == pytest.approx(45)
    for _ in range(45):
        window.succeeded(0.01)
    assert window.size == pytest.approx(46, abs=0.05)


def test_it_is_never_less_than_one() -> None:
    window = seasoned()
    window.begin(0)
    for _ in range(20):
        window.failed()
        window.succeeded(10.0)
    assert window.size == 1


def test_a_dependency_that_came_back_slower_is_believed() -> None:
    window = seasoned()
    window.begin(100)
    for _ in range(400):
        window.succeeded(0.3)
    assert window.size > 5


def test_replies_that_differ_do_not_throttle() -> None:
    """Queries of a hundredth and of a tenth of a second are no sign of a queue."""
    chance = random.Random(1)  # noqa: S311 - a simulation
    window = ReleaseWindow()
    for _ in range(500):
        window.learn(chance.expovariate(20))
    window.begin(20)
    for _ in range(3000):
        window.succeeded(chance.expovariate(20))
    assert window.size > 50


def test_a_brown_out_is_not_taken_for_good_times() -> None:
    window = seasoned()
    for _ in range(70):
        window.learn(1.0)
    assert window.usual_s < 0.04


def test_without_good_times_the_fastest_reply_counts() -> None:
    window = ReleaseWindow()
    window.begin(1)
    for latency in (0.5, 0.02, 0.4):
        window.succeeded(latency)
    assert window.usual_s == 0.02


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_parked": 0},
        {"trip_after": 0},
        {"probe_s": 0.0},
        {"probe_s": 3.0},
        {"patience_s": 0.0},
        {"patience_s": float("nan")},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(PolicyError, match=next(iter(wrong))):
        ParkingBreaker(**wrong)  # type: ignore[arg-type]
