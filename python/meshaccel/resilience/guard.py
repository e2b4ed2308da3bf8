"""The middleware as a decorator."""

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ParamSpec, TypeVar, overload

from meshaccel.errors import PolicyError
from meshaccel.resilience.calling import call, call_sync
from meshaccel.resilience.environment import Environment
from meshaccel.resilience.operation import Operations

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Makes each call of a function, or of a coroutine function, an operation."""

    def __init__(self, environment: Environment, operations: Operations, operation: str) -> None:
        self._environment = environment
        self._operations = operations
        self._operation = operation

    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]: ...

    def __call__(self, fn: Callable[P, Any]) -> Callable[P, Any]:
        """Return a function that is called in the same way.

        Raises:
            PolicyError: ``fn`` makes a generator: what fails is not the call.
        """
        if isgeneratorfunction(fn) or isasyncgenfunction(fn):
            raise PolicyError(f"{fn.__qualname__}: each step of a generator would be a call")
        environment, operations, name = self._environment, self._operations, self._operation
        # An object may be called like a coroutine function without being one.
        if iscoroutinefunction(fn) or iscoroutinefunction(type(fn).__call__):

            @wraps(fn)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await call(environment, operations[name], fn, args, kwargs)

            return guarded

        @wraps(fn)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> Any:
            return call_sync(environment, operations[name], fn, args, kwargs)

        return guarded_sync
