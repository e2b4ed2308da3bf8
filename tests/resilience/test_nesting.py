"""Operations within operations: one layer tries again, and all keep one deadline."""

import asyncio

import pytest
from tests.resilience.support import Busy, Cut, Script, middleware

from meshaccel.errors import DeadlineExceededError
from meshaccel.resilience import ONCE, ErrorHandlingMiddleware, RetryPolicy, current_deadline
from meshaccel.resilience.scope import SCOPE
from meshaccel.resilience.testing import VirtualTime

FAST = RetryPolicy(attempts=3, idempotent=True)


def layered(errors: ErrorHandlingMiddleware, names: list[str], leaf: Script) -> None:
    """Run each operation within the one before it, and the script in the last."""
    if not names:
        leaf()
        return
    errors.run_sync(names[0], lambda: layered(errors, names[1:], leaf))


async def layered_async(errors: ErrorHandlingMiddleware, names: list[str], leaf: Script) -> None:
    if not names:
        await asyncio.sleep(0)
        leaf()
        return
    await errors.run(names[0], lambda: layered_async(errors, names[1:], leaf))


@pytest.mark.parametrize("way", ["threads", "coroutines"])
@pytest.mark.parametrize("idempotent", [True, False])
def test_three_layers_make_three_attempts(time: VirtualTime, way: str, *, idempotent: bool) -> None:
    """Not 27."""
    errors = middleware(time, RetryPolicy(attempts=3, idempotent=idempotent))
    leaf = Script(*(Busy() for _ in range(100)))
    run = layered if way == "threads" else lambda *given: asyncio.run(layered_async(*given))
    with pytest.raises(Busy):
        run(errors, ["a", "b", "c"], leaf)
    assert leaf.calls == 3


def test_the_outermost_that_can_repeat_everything_does(time: VirtualTime) -> None:
    errors = middleware(time, FAST)
    errors.policy("plain", RetryPolicy(attempts=3))
    layered(errors, ["outer", "inner"], Script(Busy()))
    assert errors.stats()["outer"].retries == 1
    assert errors.stats()["inner"].retries == 0
    layered(errors, ["plain", "inner"], Script(Cut()))
    assert errors.stats()["plain"].retries == 0
    assert errors.stats()["inner"].retries == 1


def test_a_layer_that_does_not_repeat_leaves_it_to_those_within(time: VirtualTime) -> None:
    errors = middleware(time, FAST)
    errors.policy("once", RetryPolicy(attempts=1))
    layered(errors, ["once", "inner"], Script(Busy()))
    assert errors.stats()["inner"].retries == 1


def test_the_deadline_is_inherited(time: VirtualTime) -> None:
    """By what is within, whatever its own is, and by nothing that comes afterwards."""
    errors = middleware(time)
    errors.policy("outer", RetryPolicy(attempts=1, deadline_s=1.0))
    errors.policy("inner", RetryPolicy(deadline_s=60.0))
    leaf = Script(*(Busy() for _ in range(100)))
    with pytest.raises(Busy):
        layered(errors, ["outer", "inner"], leaf)
    assert time.now < 1.0
    seen: list[float | None] = []
    errors.run_sync("outer", lambda: seen.append(current_deadline()))
    errors.run_sync("outer", lambda: errors.run_sync("inner", lambda: None))
    assert seen == [pytest.approx(time.now + 1.0)]
    assert current_deadline() is None


def test_the_outer_deadline_is_back_after_an_inner_operation(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("outer", RetryPolicy(deadline_s=8.0))
    errors.policy("inner", RetryPolicy(deadline_s=1.0))
    seen: list[float | None] = []

    def look() -> None:
        seen.append(current_deadline())

    async def look_async() -> None:
        look()

    def outer() -> None:
        look()
        errors.run_sync("inner", look)
        look()
        for attempt in errors.attempts("inner"):
            with attempt:
                look()
        look()

    async def outer_async() -> None:
        look()
        await errors.run("inner", look_async)
        look()
        async for attempt in errors.attempts("inner"):
            async with attempt:
                look()
        look()

    errors.run_sync("outer", outer)
    asyncio.run(errors.run("outer", outer_async))
    assert seen == [8.0, 1.0, 8.0, 1.0, 8.0] * 2


def test_nothing_is_sent_when_the_time_is_up(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("outer", RetryPolicy(deadline_s=1.0))
    leaf = Script()

    def slow() -> None:
        time.sleep_sync(2.0)
        errors.run_sync("inner", leaf)

    with pytest.raises(DeadlineExceededError, match="inner"):
        errors.run_sync("outer", slow)
    assert leaf.calls == 0


def test_a_task_that_outlives_its_operation_is_free(time: VirtualTime) -> None:
    """It inherits neither a deadline that has passed nor a layer that has gone."""
    errors = middleware(time, FAST)
    leaf = Script(Busy())

    async def later(go: asyncio.Event) -> float | None:
        await go.wait()
        await errors.run("inner", layered_async, errors, [], leaf)
        return current_deadline()

    async def main() -> None:
        go = asyncio.Event()

        async def outer() -> "asyncio.Task[float | None]":
            return asyncio.create_task(later(go))

        task = await errors.run("outer", outer)
        time.sleep_sync(100.0)
        go.set()
        assert await task is None

    asyncio.run(main())
    assert errors.stats()["inner"].retries == 1


def test_a_task_started_by_an_operation_keeps_to_it(time: VirtualTime) -> None:
    errors = middleware(time, FAST)
    leaf = Script(Busy())

    async def outer() -> None:
        await asyncio.gather(errors.run("inner", layered_async, errors, [], leaf))

    asyncio.run(errors.run("outer", outer))
    assert (errors.stats()["outer"].retries, errors.stats()["inner"].retries) == (1, 0)


def test_errors_in_a_group_are_not_tried_for_again(time: VirtualTime) -> None:
    """A task group wraps what its tasks have given up."""
    errors = ErrorHandlingMiddleware(
        default=RetryPolicy(attempts=3), clock=time.clock, sleep=time.sleep
    )
    leaf = Script(*(ConnectionRefusedError() for _ in range(100)))

    async def outer() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(errors.run("inner", layered_async, errors, [], leaf))

    with pytest.raises(ExceptionGroup):
        asyncio.run(errors.run("outer", outer))
    assert leaf.calls == 3


def test_an_operation_that_goes_on_for_ever_remembers_little(time: VirtualTime) -> None:
    """A worker's loop may be an operation, and what fails within it day after day is forgotten."""
    errors = middleware(time, RetryPolicy(attempts=2))
    errors.policy("worker", ONCE)

    def worker() -> int:
        for _ in range(100):
            with pytest.raises(Busy):
                errors.run_sync("inner", Script(Busy(), Busy()))
        return len(SCOPE.get() or [])

    assert errors.run_sync("worker", worker) < 20


def test_no_block_is_entered_when_the_time_is_up(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("outer", RetryPolicy(deadline_s=1.0))
    leaf = Script()

    def slow() -> None:
        time.sleep_sync(2.0)
        for attempt in errors.attempts("inner"):
            with attempt:
                leaf()

    async def slow_async() -> None:
        time.sleep_sync(2.0)
        async for attempt in errors.attempts("inner"):
            async with attempt:
                leaf()

    with pytest.raises(DeadlineExceededError, match="inner"):
        errors.run_sync("outer", slow)
    with pytest.raises(DeadlineExceededError, match="inner"):
        asyncio.run(errors.run("outer", slow_async))
    assert leaf.calls == 0
    assert errors.stats()["inner"].failed == 2
