"""Errors whose meaning is known, scripts of them, and the ways to run an operation."""

import asyncio
from collections.abc import Callable
from typing import Any

from meshaccel.resilience import (
    Classification,
    ErrorHandlingMiddleware,
    RetryPolicy,
    Unit,
    Verdict,
)
from meshaccel.resilience.testing import VirtualTime


class Busy(Exception):  # noqa: N818 - as short as its uses are many
    """It did not happen, and may later."""


class Cut(Exception):  # noqa: N818
    """It may have happened."""


class Wrong(Exception):  # noqa: N818
    """It will not happen."""


class Told(Exception):  # noqa: N818
    """The other side said when to come back, after ``retry_after_s``."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class Restart(Exception):  # noqa: N818
    """The whole transaction must be made again."""


class Crowded(Exception):  # noqa: N818
    """This side asked for too much at once."""


class Ours(Exception):  # noqa: N818
    """Not the operation's error at all."""


MEANINGS: dict[type, Classification] = {
    Busy: Classification(Verdict.TRANSIENT, feeds="breaker"),
    Cut: Classification(Verdict.AMBIGUOUS, feeds="breaker"),
    Wrong: Classification(Verdict.PERMANENT),
    Restart: Classification(Verdict.TRANSIENT, unit=Unit.TRANSACTION),
    Crowded: Classification(Verdict.TRANSIENT, feeds="bulkhead"),
    Ours: Classification(Verdict.NEVER),
}


class Table:
    """Looks errors up in ``MEANINGS``; the rest is permanent."""

    def classify(self, exc: BaseException, /) -> Classification:
        if isinstance(exc, Told):
            return Classification(Verdict.TRANSIENT, retry_after_s=exc.retry_after_s)
        return MEANINGS.get(type(exc), MEANINGS[Wrong])


def middleware(time: VirtualTime, default: RetryPolicy | None = None) -> ErrorHandlingMiddleware:
    """Make a middleware that knows the errors above and lives in virtual time."""
    return ErrorHandlingMiddleware(
        classifier=Table(),
        default=RetryPolicy() if default is None else default,
        clock=time.clock,
        sleep=time.sleep,
        sleep_sync=time.sleep_sync,
        uniform=time.uniform,
    )


class Script:
    """A function that fails as told, once for each error, and then returns its last word."""

    def __init__(self, *errors: BaseException, value: object = "done") -> None:
        self._errors = list(errors)
        self._value = value
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return self._value


def by_run(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    async def work() -> Any:
        await asyncio.sleep(0)
        return fn()

    return asyncio.run(errors.run(operation, work))


def by_guard(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    @errors.guard(operation)
    async def work() -> Any:
        await asyncio.sleep(0)
        return fn()

    return asyncio.run(work())


def by_attempts(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    async def work() -> Any:
        attempts = errors.attempts(operation)
        async for attempt in attempts:
            async with attempt:
                await asyncio.sleep(0)
                return fn()
        return attempts.value

    return asyncio.run(work())


def by_run_sync(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    return errors.run_sync(operation, fn)


def by_guard_sync(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    work: Callable[[], Any] = errors.guard(operation)(fn)
    return work()


def by_attempts_sync(errors: ErrorHandlingMiddleware, operation: str, fn: Callable[[], Any]) -> Any:
    attempts = errors.attempts(operation)
    for attempt in attempts:
        with attempt:
            return fn()
    return attempts.value


FORMS = [by_run, by_guard, by_attempts, by_run_sync, by_guard_sync, by_attempts_sync]
CALLS = [by_run, by_run_sync]
