"""Attempts, one after the other, until one succeeds or there is another end to it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from meshaccel.resilience.attempt import attempt, attempt_sync
from meshaccel.resilience.environment import Environment
from meshaccel.resilience.operation import Operation
from meshaccel.resilience.recovery import Recovery

T = TypeVar("T")


async def persist(
    environment: Environment,
    op: Operation,
    recovery: Recovery,
    call: Callable[[], Awaitable[T]],
    failed: Exception | None,
) -> T:
    """Return what an attempt, a handler or the fallback returns; go on from ``failed``, if any."""
    try:
        while True:
            if failed is not None and not await recovery.again(failed):
                value: T = recovery.value
                return value
            try:
                result = await attempt(environment, op, recovery.deadline, call)
            except Exception as error:  # noqa: BLE001 - it is classified
                failed = error
            else:
                op.counters.recovered += failed is not None
                return result
    finally:
        failed = None  # or the error and this frame would keep each other alive
        recovery.forget()


def persist_sync(
    environment: Environment,
    op: Operation,
    recovery: Recovery,
    call: Callable[[], T],
    failed: Exception | None,
) -> T:
    """Do as ``persist``, in a thread."""
    try:
        while True:
            if failed is not None and not recovery.again_sync(failed):
                value: T = recovery.value
                return value
            try:
                result = attempt_sync(environment, op, recovery.deadline, call)
            except Exception as error:  # noqa: BLE001 - it is classified
                failed = error
            else:
                op.counters.recovered += failed is not None
                return result
    finally:
        failed = None
        recovery.forget()
