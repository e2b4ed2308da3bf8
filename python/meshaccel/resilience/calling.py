"""One call of an operation: bare, and with all there is once something has gone wrong."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from meshaccel.errors import PolicyError
from meshaccel.resilience.attempt import limited
from meshaccel.resilience.environment import Environment, answered
from meshaccel.resilience.meaning import classified
from meshaccel.resilience.operation import Operation
from meshaccel.resilience.persisting import persist, persist_sync
from meshaccel.resilience.recovery import Recovery
from meshaccel.resilience.scope import DEADLINE, SCOPE, inherit

T = TypeVar("T")


async def call(  # noqa: C901, PLR0912 - each function less is a tenth of the cost
    environment: Environment,
    op: Operation,
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> T:
    """Await ``fn(*args, **kwargs)``; see ``ErrorHandlingMiddleware.run``."""
    op.counters.calls += 1
    breaker, bulkhead = op.breaker, op.bulkhead
    clock = environment.clock
    started = clock()
    outer = SCOPE.get()
    scope = [started + op.deadline_s, op.claims]
    in_time = True
    if outer:
        inherit(scope, outer)
        in_time = started < scope[DEADLINE]
    SCOPE.set(scope)
    failed: Exception | None = None
    try:
        entered = in_time and (breaker is None or breaker.try_enter())
        if entered and bulkhead is not None and not bulkhead.try_enter():
            entered = False
            if breaker is not None:
                breaker.release()
        if entered:
            try:
                if op.plain:
                    result = await fn(*args, **kwargs)
                else:
                    again = partial(fn, *args, **kwargs)
                    result = await limited(environment, op, scope[DEADLINE], again)
            except Exception as error:  # noqa: BLE001 - it is classified
                failed = error
                meaning = classified(environment, error)
                op.failed(breaker, meaning, clock() - started)
            except BaseException:
                op.abandoned(breaker)
                raise
            else:
                if bulkhead is not None:
                    bulkhead.leave()
                if breaker is not None:
                    breaker.success(clock() - started if op.timed else 0.0)
                return result
        recovery = Recovery(environment, op, started, scope, outer)
        again = partial(fn, *args, **kwargs)
        return await persist(environment, op, recovery, again, failed)
    finally:
        failed = None  # or the error and this frame would keep each other alive
        scope.clear()
        if outer:
            SCOPE.set(outer)


def call_sync(
    environment: Environment,
    op: Operation,
    fn: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> T:
    """Return ``fn(*args, **kwargs)``; see ``ErrorHandlingMiddleware.run_sync``."""
    if not op.plain:
        raise PolicyError(f"{op.name}: a thread can neither be cut off nor hedged")
    op.counters.calls += 1
    clock = environment.clock
    started = clock()
    outer = SCOPE.get()
    scope = [started + op.deadline_s, op.claims]
    in_time = True
    if outer:
        inherit(scope, outer)
        in_time = started < scope[DEADLINE]
    SCOPE.set(scope)
    failed: Exception | None = None
    try:
        if in_time and op.try_enter():
            try:
                result = answered(op.name, fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - it is classified
                failed = error
                meaning = classified(environment, error)
                op.failed(op.breaker, meaning, clock() - started)
            except BaseException:
                op.abandoned(op.breaker)
                raise
            else:
                op.succeeded(op.breaker, clock() - started)
                return result
        recovery = Recovery(environment, op, started, scope, outer)
        again = partial(fn, *args, **kwargs)
        return persist_sync(environment, op, recovery, again, failed)
    finally:
        failed = None
        scope.clear()
        if outer:
            SCOPE.set(outer)
