"""One attempt that is more than a call: gates that may have to be waited for, timers, a hedge."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from meshaccel.errors import AttemptTimeoutError, DeadlineExceededError
from meshaccel.resilience.environment import Environment, answered
from meshaccel.resilience.meaning import classified
from meshaccel.resilience.operation import Operation

T = TypeVar("T")


async def attempt(
    environment: Environment,
    operation: Operation,
    deadline: float,
    call: Callable[[], Awaitable[T]],
) -> T:
    """Enter, call and leave.

    Raises:
        DeadlineExceededError: it is too late for an attempt.
        CircuitOpenError, BulkheadFullError: it was kept back.
        AttemptTimeoutError: it took too long.
    """
    clock = environment.clock
    check_time(operation, deadline, clock())
    permit = await operation.enter(deadline, clock)
    began = clock()
    try:
        result = await (
            call() if operation.plain else limited(environment, operation, deadline, call)
        )
    except Exception as error:
        operation.failed(permit, classified(environment, error), clock() - began)
        raise
    except BaseException:
        operation.abandoned(permit)
        raise
    operation.succeeded(permit, clock() - began)
    return result


def attempt_sync(
    environment: Environment, operation: Operation, deadline: float, call: Callable[[], T]
) -> T:
    """Enter, call and leave; nothing can cut a thread off.

    Raises:
        DeadlineExceededError: it is too late for an attempt.
        CircuitOpenError, BulkheadFullError: it was kept back.
    """
    clock = environment.clock
    check_time(operation, deadline, clock())
    permit = operation.enter_sync(deadline, clock)
    began = clock()
    try:
        result = answered(operation.name, call())
    except Exception as error:
        operation.failed(permit, classified(environment, error), clock() - began)
        raise
    except BaseException:
        operation.abandoned(permit)
        raise
    operation.succeeded(permit, clock() - began)
    return result


def check_time(operation: Operation, deadline: float, now: float) -> None:
    """Raise DeadlineExceededError if it is too late for an attempt."""
    if now >= deadline:
        raise DeadlineExceededError(f"{operation.name}: the time for it was up")


async def limited(
    environment: Environment,
    operation: Operation,
    deadline: float,
    call: Callable[[], Awaitable[T]],
) -> T:
    """Call with the attempt timeout and the hedge of the policy.

    Raises:
        AttemptTimeoutError: it took too long.
    """
    limit_s = operation.policy.attempt_timeout_s
    if limit_s is None:
        return await _hedged(environment, operation, call)
    limit_s = max(0.0, min(limit_s, deadline - environment.clock()))
    try:
        async with asyncio.timeout(limit_s) as scope:
            return await _hedged(environment, operation, call)
    except TimeoutError as error:
        # By the scope, not the type: what is called may have time limits of its own.
        if not scope.expired():
            raise
        operation.counters.timeouts += 1
        raise AttemptTimeoutError(f"{operation.name}: cut off after {limit_s:.3g} s") from error


def _hedged(
    environment: Environment, operation: Operation, call: Callable[[], Awaitable[T]]
) -> Awaitable[T]:
    delay_s = operation.policy.hedge_after_s
    if delay_s is None:
        return call()
    return _race(environment, operation, delay_s, call)


async def _race(
    environment: Environment, operation: Operation, delay_s: float, call: Callable[[], Awaitable[T]]
) -> T:
    """Call, and a second time if there is no answer soon; return the first answer.

    Only if both calls fail it fails, as the first did. The tail of the latency is cut as in Dean
    and Barroso, "The Tail at Scale" (CACM, 2013).
    """
    first = asyncio.ensure_future(call())
    running = {first}
    try:
        timer = asyncio.ensure_future(_sleep(environment, delay_s))
        running.add(timer)  # type: ignore[arg-type]  # it is cancelled like the others
        await asyncio.wait({first, timer}, return_when=asyncio.FIRST_COMPLETED)
        if first.done() or not _may_hedge(operation):
            return await first
        operation.counters.hedges += 1
        second = asyncio.ensure_future(_called(call))
        if operation.bulkhead is not None:
            leave = operation.bulkhead.leave
            second.add_done_callback(lambda _: leave())
        running.add(second)
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        winner, other = (first, second) if first.done() else (second, first)
        if winner.exception() is not None:
            await asyncio.wait({other})
            winner = other if other.exception() is None else first
        operation.counters.hedges_won += winner is second
        return winner.result()
    finally:
        await _end(running)


async def _called(call: Callable[[], Awaitable[T]]) -> T:
    """Call from within a task, so that it fails there, even if it fails before it waits."""
    return await call()


async def _sleep(environment: Environment, seconds: float) -> None:
    await environment.sleep(seconds)


def _may_hedge(operation: Operation) -> bool:
    """Take what a second call needs, if there is enough of it."""
    if operation.bulkhead is not None and not operation.bulkhead.try_enter():
        return False
    if operation.budget is None or operation.budget.withdraw():
        return True
    if operation.bulkhead is not None:
        operation.bulkhead.leave()
    return False


async def _end(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancel what still runs, and leave none behind, even if cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while left := {task for task in tasks if not task.done()}:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is warned of it
    if cancelled is not None:
        raise cancelled
