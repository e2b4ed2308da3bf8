"""What users do about errors, by the type of the error."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from inspect import isawaitable
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

    Raises:
        PolicyError: ``after_s`` is negative or no number.
    """

    after_s: float | None = None

    def __post_init__(self) -> None:
        if self.after_s is not None and not self.after_s >= 0:
            raise PolicyError(f"after_s must be a number of seconds from 0, not {self.after_s}")


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

    async def ask(
        self, failure: Callable[[BaseException], Failure[BaseException]], error: Exception
    ) -> Retry | Return | Raise | None:
        """Return the first answer to an error, None if all handlers leave it alone.

        Args:
            failure: describes the attempt to the handler of that link of the error's chain.
            error: what was raised.

        Raises:
            PolicyError: an answer is none.
            Exception: what a handler raises, with ``error`` as its cause.
        """
        for link, handler in self.matching(error):
            try:
                outcome = handler(failure(link))
                if isawaitable(outcome):
                    outcome = await outcome
            except Exception as raised:
                chain(raised, error)
                raise
            if isinstance(outcome, Retry | Return | Raise):
                return outcome
            if outcome is not None and not isinstance(outcome, Ignore):
                raise PolicyError(
                    f"a handler returned {outcome!r}, not Retry, Return, Raise, Ignore or None"
                ) from error
        return None

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


def chain(raised: Exception, error: Exception) -> None:
    """Let ``raised`` name ``error`` as its cause, unless it is one of its chain or has another."""
    if raised.__cause__ is None and all(link is not raised for link in chain_of(error)):
        with suppress(AttributeError):  # it may be a frozen dataclass
            raised.__cause__ = error


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause or else its context, the cause of that and so on; each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def within(error: BaseException) -> Iterator[BaseException]:
    """Yield the chain of an error, and those of the members of groups in it."""
    for link in chain_of(error):
        yield link
        if isinstance(link, BaseExceptionGroup):
            for member in link.exceptions:
                yield from within(member)
