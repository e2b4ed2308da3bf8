"""What a type checker knows of guarded functions; mypy reads this, and it runs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from meshaccel.resilience import ErrorHandlingMiddleware, Failure, Return

errors = ErrorHandlingMiddleware()


@errors.guard("read")
async def read(name: str, *, limit: int = 1) -> list[str]:
    """Return a name some times."""
    return [name] * limit


@errors.guard("count")
def count(name: str) -> int:
    """Return its length."""
    return len(name)


def missing(failure: Failure[KeyError]) -> Return:
    """Make nothing of a key that is missing."""
    assert_type(failure.error, KeyError)
    return Return(None)


def test_arguments_and_results_keep_their_types() -> None:
    """Also the names of arguments, and the functions' own names and documentation."""
    errors.add_handler(KeyError, missing)

    async def main() -> None:
        assert_type(await errors.run("read", read, "a", limit=2), list[str])
        assert_type(await read("a"), list[str])

    asyncio.run(main())
    assert_type(errors.run_sync("count", count, "a"), int)
    assert_type(count(name="ab"), int)
    assert (read.__name__, count.__doc__) == ("read", "Return its length.")
    assert asyncio.iscoroutinefunction(read)
    assert asyncio.run(read("a", limit=3)) == ["a"] * 3
    assert count("abc") == 3


def test_objects_can_be_guarded() -> None:
    class Read:
        async def __call__(self) -> str:
            return "read"

    assert asyncio.run(errors.guard("read")(Read().__call__)()) == "read"
    reading: Callable[[], Coroutine[Any, Any, str]] = Read()
    assert asyncio.run(errors.guard("read")(reading)()) == "read"


def test_wrong_arguments_are_found() -> None:
    """Mypy would not need these comments if it did not see the errors."""
    if errors is None:
        errors.run_sync("count", count, 1)  # type: ignore[unreachable]
    calls = [lambda: count(1), lambda: errors.run_sync("count", count, 1)]  # type: ignore[arg-type]
    assert len(calls) == 2
