"""The middleware as a decorator."""

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from meshaccel.resilience.middleware import ErrorHandlingMiddleware

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Makes each call of a function, or of a coroutine function, an operation."""

    def __init__(self, middleware: "ErrorHandlingMiddleware", operation: str) -> None:
        self._middleware = middleware
        self._operation = operation

    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]: ...

    def __call__(self, fn: Callable[P, Any]) -> Callable[P, Any]:
        """Return a function that is called in the same way."""
        operation, run, run_sync = self._operation, self._middleware.run, self._middleware.run_sync
        # An object may be called like a coroutine function without being one.
        if iscoroutinefunction(fn) or iscoroutinefunction(type(fn).__call__):

            @wraps(fn)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await run(operation, fn, *args, **kwargs)

            return guarded

        @wraps(fn)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> Any:
            return run_sync(operation, fn, *args, **kwargs)

        return guarded_sync
