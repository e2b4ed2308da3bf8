"""Breaker, bulkhead, budget: what they let through, and that all of it is given back."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.resilience.conftest import Form
from tests.resilience.support import Busy, Crowded, Cut, Script, Wrong, by_run, middleware

from meshaccel.errors import BulkheadFullError, CircuitOpenError, PolicyError
from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    ErrorHandlingMiddleware,
    Permit,
    Retry,
    RetryBudget,
    RetryPolicy,
)
from meshaccel.resilience.testing import VirtualTime

ONE_ATTEMPT = RetryPolicy(attempts=1)


def low(least: float, most: float) -> float:
    """Draw the least of what may be drawn."""
    return min(least, most)


def breaker_at(time: VirtualTime, **settings: float) -> CircuitBreaker:
    return CircuitBreaker(clock=time.clock, uniform=low, **settings)  # type: ignore[arg-type]


def enter(breaker: CircuitBreaker) -> Permit:
    return asyncio.run(_enter(breaker))


async def _enter(breaker: CircuitBreaker) -> Permit:
    return breaker if breaker.try_enter() else await breaker.enter(None)


def test_a_breaker_opens_at_its_rate_of_failures(time: VirtualTime) -> None:
    breaker = breaker_at(time, min_calls=10, failure_rate=0.5)
    for _ in range(5):
        breaker.success(0.1)
    for _ in range(4):
        breaker.failure()
    assert breaker.state == "closed"
    breaker.failure()
    assert breaker.state == "open"
    with pytest.raises(CircuitOpenError) as caught:
        enter(breaker)
    assert caught.value.retry_after_s == 5.0


def test_few_calls_do_not_open_it(time: VirtualTime) -> None:
    breaker = breaker_at(time, min_calls=10)
    for _ in range(9):
        breaker.failure()
    assert breaker.state == "closed"


def test_what_is_long_ago_does_not_count(time: VirtualTime) -> None:
    """The window slides by tenths."""
    breaker = breaker_at(time, window_s=10.0, min_calls=10)
    for _ in range(1000):
        breaker.success(0.1)
    for second in range(9):
        time.now = 20.0 + second
        breaker.failure()
    assert breaker.state == "closed"
    time.now = 31.5  # the first two have left
    breaker.failure()
    assert breaker.state == "closed"
    for _ in range(2):
        breaker.failure()
    assert breaker.state == "open"


def test_it_counts_like_a_list_of_all_calls(time: VirtualTime) -> None:
    """Against the plain definition, with times on the borders of the tenths."""
    for seed in range(50):
        now = VirtualTime(seed)
        breaker = breaker_at(now, window_s=10.0, min_calls=5, failure_rate=0.6)
        calls: list[tuple[int, bool]] = []
        while breaker.state == "closed" and len(calls) < 300:
            now.now += int(now.uniform(0, 3))
            failed = now.uniform(0, 1) < 0.5
            breaker.failure() if failed else breaker.success(0.0)
            calls.append((int(now.now), failed))
            recent = [bad for at, bad in calls if at > now.now - 10]
            opens = failed and len(recent) >= 5 and sum(recent) >= 0.6 * len(recent)
            assert (breaker.state == "open") == opens
    del time


def test_a_probe_closes_it(time: VirtualTime) -> None:
    breaker = opened(time)
    time.now += 5.0
    probe = enter(breaker)
    assert breaker.state == "half_open"
    with pytest.raises(CircuitOpenError, match="probed"):
        enter(breaker)
    probe.success(0.1)
    assert breaker.state == "closed"
    assert breaker.try_enter()


def test_a_probe_that_fails_opens_it_again(time: VirtualTime) -> None:
    breaker = opened(time)
    time.now += 5.0
    enter(breaker).failure()
    assert (breaker.state, breaker.opened) == ("open", 2)
    with pytest.raises(CircuitOpenError):
        enter(breaker)


def test_a_probe_that_tells_nothing_makes_room_for_another(time: VirtualTime) -> None:
    breaker = opened(time)
    time.now += 5.0
    enter(breaker).release()
    enter(breaker).success(0.1)
    assert breaker.state == "closed"


def test_several_probes_must_all_succeed(time: VirtualTime) -> None:
    breaker = opened(time, probes=2)
    time.now += 5.0
    first, second = enter(breaker), enter(breaker)
    first.success(0.1)
    assert breaker.state == "half_open"
    second.success(0.1)
    assert breaker.state == "closed"


def test_late_results_do_not_count(time: VirtualTime) -> None:
    """Neither of calls from before it opened, nor of probes of a period that is over."""
    breaker = opened(time, probes=2)
    breaker.success(0.1)
    breaker.failure()
    breaker.release()
    time.now += 5.0
    stale, failing = enter(breaker), enter(breaker)
    failing.failure()
    time.now += 5.0
    fresh = enter(breaker)
    stale.success(0.1)
    assert breaker.state == "half_open"
    fresh.success(0.1)
    enter(breaker).success(0.1)
    assert breaker.state == "closed"


def opened(time: VirtualTime, **settings: float) -> CircuitBreaker:
    breaker = breaker_at(time, min_calls=1, **settings)
    breaker.failure()
    assert breaker.state == "open"
    return breaker


def test_threads_share_a_breaker(time: VirtualTime) -> None:
    """However they race, exactly one of them probes."""
    for _ in range(50):
        breaker = opened(time)
        time.now += 10.0
        start = threading.Barrier(4)

        def probe(breaker: CircuitBreaker = breaker, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                enter(breaker)
            except CircuitOpenError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda f: f(), [probe] * 4)) == 1


@pytest.mark.parametrize("settings", [{"failure_rate": 0.0}, {"min_calls": 0}, {"open_s": -1.0}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PolicyError):
        CircuitBreaker(**settings)  # type: ignore[arg-type]


# -- in the middleware -------------------------------------------------------------------


def test_an_open_circuit_fails_fast(time: VirtualTime, form: Form) -> None:
    """Only errors that speak of the dependency open it, and nothing is sent while it is open."""
    errors = middleware(time)
    errors.policy("op", ONE_ATTEMPT, breaker=breaker_at(time, min_calls=2, failure_rate=1.0))
    for error in (Wrong(), Crowded(), Cut(), Busy()):
        with pytest.raises(type(error)):
            form(errors, "op", Script(error))
    assert errors.stats()["op"].breaker == "closed"  # a refusal is an answer: 2 of 3
    for error in (Busy(), Busy(), Busy(), Busy()):
        if errors.stats()["op"].breaker == "closed":
            with pytest.raises(Busy):
                form(errors, "op", Script(error))
    time.now += 31.0
    script = Script()
    assert form(errors, "op", script) == "done"
    assert errors.stats()["op"].breaker == "closed"


def test_refused_while_open_and_probed_afterwards(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.policy("op", ONE_ATTEMPT, breaker=opened(time))
    script = Script()
    with pytest.raises(CircuitOpenError):
        form(errors, "op", script)
    assert script.calls == 0
    assert errors.stats()["op"].refused == 1
    time.now += 5.0
    assert form(errors, "op", script) == "done"
    assert errors.stats()["op"].breaker == "closed"


def test_a_circuit_that_opens_between_attempts_raises_the_error(time: VirtualTime) -> None:
    """The operation's own, not that of the breaker."""
    errors = middleware(time)
    errors.policy("op", RetryPolicy(), breaker=breaker_at(time, min_calls=3))
    script = Script(*(Busy(str(n)) for n in range(10)))
    with pytest.raises(Busy, match="2") as caught:
        by_run(errors, "op", script)
    assert script.calls == 3
    assert "CircuitOpenError" in caught.value.__notes__[-1]


def test_an_open_circuit_has_a_fallback(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("op", ONE_ATTEMPT, breaker=opened(time), fallback=lambda _: "kept")
    assert by_run(errors, "op", Script()) == "kept"


def test_a_handler_may_wait_for_the_circuit(time: VirtualTime) -> None:
    """Until the breaker said it makes sense to ask again."""
    errors = middleware(time)
    errors.policy("op", RetryPolicy(), breaker=opened(time))
    errors.add_handler(CircuitOpenError, lambda _: Retry())
    assert by_run(errors, "op", Script()) == "done"
    assert time.pauses == [5.0]


def test_a_full_bulkhead_turns_away(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    bulkhead = Bulkhead(1)
    errors.policy("op", ONE_ATTEMPT, bulkhead=bulkhead, breaker=breaker_at(time))
    assert bulkhead.try_enter()
    with pytest.raises(BulkheadFullError):
        form(errors, "op", Script())
    bulkhead.leave()
    for error in (Busy(), Wrong(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            form(errors, "op", Script(error))
    assert form(errors, "op", Script()) == "done"
    assert bulkhead.in_use == 0


def test_a_bulkhead_serves_in_order_and_never_more_than_its_limit() -> None:
    async def main() -> None:
        bulkhead = Bulkhead(2, max_waiting=10)
        order: list[int] = []
        most = 0

        async def use(number: int) -> None:
            nonlocal most
            await bulkhead.enter(None)
            most = max(most, bulkhead.in_use)
            order.append(number)
            for _ in range(number % 3):
                await asyncio.sleep(0)
            bulkhead.leave()

        await asyncio.gather(*(use(n) for n in range(12)))
        assert (order, most) == (list(range(12)), 2)
        assert (bulkhead.in_use, bulkhead.waiting) == (0, 0)

    asyncio.run(main())


def test_waiting_at_a_bulkhead_ends(time: VirtualTime) -> None:
    """With the deadline; and one more than may wait is turned away at once."""
    errors = middleware(time)
    bulkhead = Bulkhead(1, max_waiting=1, name="the pool")
    errors.policy("op", RetryPolicy(deadline_s=0.01), bulkhead=bulkhead)

    async def main() -> None:
        assert bulkhead.try_enter()
        first = asyncio.create_task(errors.run("op", asyncio.sleep, 0))
        await asyncio.sleep(0)
        with pytest.raises(BulkheadFullError, match="the pool is full: 1 run and 1 wait"):
            await errors.run("op", asyncio.sleep, 0)
        with pytest.raises(BulkheadFullError, match=r"was full for 0\.01 s"):
            await first
        bulkhead.leave()
        await errors.run("op", asyncio.sleep, 0)
        assert bulkhead.in_use == 0

    asyncio.run(main())


def test_a_thread_that_leaves_wakes_a_coroutine() -> None:
    async def main() -> None:
        bulkhead = Bulkhead(1, max_waiting=1)
        assert bulkhead.try_enter()
        waiting = asyncio.create_task(bulkhead.enter(None))
        await asyncio.sleep(0)
        await asyncio.to_thread(bulkhead.leave)
        async with asyncio.timeout(60):
            await waiting
        assert (bulkhead.in_use, bulkhead.waiting) == (1, 0)
        bulkhead.leave()

    asyncio.run(main())


def test_who_begins_to_wait_while_another_leaves_is_served() -> None:
    """Between any two steps of a thread that leaves, a coroutine may come."""

    class Permits(deque[None]):
        """Where somebody comes just before a permit is given back."""

        comes: Callable[[], object] = staticmethod(lambda: None)

        def append(self, permit: None) -> None:
            self.comes()
            super().append(permit)

    async def main() -> None:
        bulkhead = Bulkhead(1, max_waiting=1)
        bulkhead._permits = permits = Permits([None])
        assert bulkhead.try_enter()
        waiting = bulkhead.enter(None)
        leaving = threading.Thread(target=bulkhead.leave)
        permits.comes = lambda: asyncio.run_coroutine_threadsafe(started(), loop).result()
        loop = asyncio.get_running_loop()
        entered: list[asyncio.Task[None]] = []

        async def started() -> None:
            entered.append(asyncio.create_task(waiting))
            await asyncio.sleep(0)

        leaving.start()
        await asyncio.to_thread(leaving.join)
        async with asyncio.timeout(60):
            await entered[0]
        assert (bulkhead.in_use, bulkhead.waiting) == (1, 0)

    asyncio.run(main())


def test_threads_and_coroutines_share_a_bulkhead() -> None:
    """However they race, never more than its limit run, and every permit comes back."""
    errors = ErrorHandlingMiddleware()
    bulkhead = Bulkhead(3, max_waiting=100)
    errors.policy("op", ONE_ATTEMPT, bulkhead=bulkhead)
    running: set[object] = set()
    most = 0

    def enter() -> object:
        nonlocal most
        token = object()
        running.add(token)
        most = max(most, len(running))
        return token

    def work() -> None:
        running.discard(enter())

    def thread() -> int:
        done = 0
        for _ in range(2_000):
            with suppress(BulkheadFullError):
                errors.run_sync("op", work)
                done += 1
        return done

    async def work_async() -> None:
        token = enter()
        await asyncio.sleep(0)
        running.discard(token)

    async def main() -> None:
        threads = [asyncio.to_thread(thread) for _ in range(4)]
        calls = [errors.run("op", work_async) for _ in range(100)]
        results = await asyncio.gather(*threads, *calls)
        assert sum(done for done in results[:4] if done) > 0

    asyncio.run(main())
    assert 1 <= most <= 3
    assert (bulkhead.in_use, bulkhead.waiting) == (0, 0)


def test_a_loop_that_was_closed_holds_nobody_up() -> None:
    bulkhead = Bulkhead(1, max_waiting=1)
    assert bulkhead.try_enter()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(bulkhead.enter(None))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    bulkhead.leave()
    assert bulkhead.try_enter()
    waiting.get_coro().close()
    del waiting


@pytest.mark.parametrize("arguments", [(0, 0), (1, -1)])
def test_a_bulkhead_that_lets_nobody_in_is_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(PolicyError):
        Bulkhead(arguments[0], max_waiting=arguments[1])


def test_a_budget_refills_with_time_and_calls(time: VirtualTime) -> None:
    budget = RetryBudget(0.5, reserve_per_s=2.0, capacity=3, clock=time.clock)
    assert [budget.withdraw() for _ in range(4)] == [True, True, True, False]
    time.now += 0.5
    assert [budget.withdraw() for _ in range(2)] == [True, False]
    errors = middleware(time)
    for name in ("a", "b", "a"):  # a policy that is replaced keeps its calls
        errors.policy(name, ONE_ATTEMPT, budget=budget)
    for name in ("a", "b"):
        errors.run_sync(name, Script())
    assert budget.balance == 1.0
    time.now += 1e6
    assert budget.balance == 3.0


@pytest.mark.parametrize(
    "settings", [{"ratio": -1.0}, {"reserve_per_s": float("inf")}, {"capacity": 0.5}]
)
def test_a_budget_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PolicyError):
        RetryBudget(**settings)  # type: ignore[arg-type]
