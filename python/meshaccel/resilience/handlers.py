"""What users do about errors, by the type of the error."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from meshaccel.errors import PolicyError
from meshaccel.resilience.verdicts import Classification

E_co = TypeVar("E_co", bound=BaseException, covariant=True)
E = TypeVar("E", bound=Exception)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again, after so many seconds or, by default, when the policy says so.

    Attempts, deadline and budget of the policy still hold, and an operation that is not
    idempotent is not repeated when it may have had its effect.
    """

    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Let the operation return this."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raise:
    """Raise this instead; its cause is the error that was handled, unless it has one."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Ignore:
    """Leave the error to the next handler, and after the last one to the policy."""


Outcome = Retry | Return | Raise | Ignore | None
"""What a handler returns; None is ``Ignore``, for handlers that only look."""


@dataclass(frozen=True, slots=True)
class Failure(Generic[E_co]):
    """An attempt that failed.

    Attributes:
        error: the error the handler was registered for: what was raised, or what lies behind it.
        raised: what was raised.
        operation: the name of the operation.
        attempt: the number of the attempt, from 1.
        elapsed_s: seconds since the operation began.
        classification: what is known of the error.
    """

    error: E_co
    raised: Exception
    operation: str
    attempt: int
    elapsed_s: float
    classification: Classification


Handler = Callable[[Failure[E]], Outcome | Awaitable[Outcome]]


class Handlers:
    """Handlers by type of error."""

    def __init__(self) -> None:
        self._by_type: dict[type[Exception], list[Handler[Any]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_type)

    def add(self, exc_type: type[E], handler: Handler[E]) -> None:
        """Add a handler for errors of a type and its subclasses.

        Raises:
            PolicyError: ``exc_type`` is no type of errors that may be handled.
        """
        if not issubclass(exc_type, Exception):
            # CancelledError, KeyboardInterrupt and the like are nobody's to handle.
            raise PolicyError(f"{exc_type!r} is no subclass of Exception")
        self._by_type.setdefault(exc_type, []).append(handler)

    def matching(self, error: Exception) -> Iterator[tuple[BaseException, Handler[Any]]]:
        """Yield the handlers of an error, each with the link of its chain that it is for.

        The raised error comes before its cause, its class before the base classes, and who was
        added first before others. Handlers of ``Exception`` itself are for what nobody else
        took, so they come last.
        """
        for link in chain_of(error):
            for cls in type(link).__mro__:
                if cls is not Exception:
                    for handler in self._by_type.get(cls, ()):
                        yield link, handler
        for handler in self._by_type.get(Exception, ()):
            yield error, handler


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause or else its context, the cause of that and so on; each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
