"""The form of a table: which exception, told apart by which code, means what."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from meshaccel.resilience.verdicts import Classification, Unit, Verdict

Code = int | str


class Cause(Enum):
    """Whether the cause of an exception is heard, where it is known too."""

    IGNORED = "ignored"
    """The exception itself says it all."""

    IF_PERMANENT = "if permanent"
    """Only a cause that will not go away says more, as a certificate that does not match."""

    FIRST = "first"
    """The exception is only a wrapper: its own meaning counts if its cause has none."""


@dataclass(frozen=True, slots=True)
class Codes:
    """A second look at exceptions of one class, by a code they carry.

    Attributes:
        read: returns the codes of an exception, the most specific first, such as an extended
            and a primary result code; none if it carries none. It must not raise.
        means: what each code means.
    """

    read: Callable[[BaseException], Iterable[Code]]
    means: Mapping[Code, Classification]

    def of(self, exc: BaseException) -> Classification | None:
        """Return what the first code that is listed means."""
        for code in self.read(exc):
            if (found := self.means.get(code)) is not None:
                return found
        return None


Adjust = Callable[[BaseException, Classification, Callable[[], float]], Classification]
"""Given an exception, what it means, and a clock of Unix time in seconds: what it means here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the exceptions of a class mean, those of its subclasses included.

    Attributes:
        error: the class, or its module and name, such as ``httpx.ReadTimeout``.
        means: what it means if no code says so; None leaves that to other rules for the class,
            and then to those for the classes it is derived from.
        codes: how to tell such exceptions apart by a code.
        cause: whether its cause is heard.
        adjust: a last look at the exception, as for a request that may be sent twice.
    """

    error: type[BaseException] | str
    means: Classification | None = None
    codes: Codes | None = None
    cause: Cause = Cause.IGNORED
    adjust: Adjust | None = None

    def of(self, exc: BaseException) -> Classification | None:
        """Return what an exception of the class means, if this rule tells."""
        by_code = None if self.codes is None else self.codes.of(exc)
        return self.means if by_code is None else by_code


def permanent(*errors: str) -> tuple[Rule, ...]:
    """Return a rule for each class: it stays as it is."""
    return tuple(Rule(error, PERMANENT) for error in errors)


def message(exc: BaseException) -> str:
    """Return what an exception says. ``str`` would run a method that may fail."""
    return exc.args[0] if exc.args and isinstance(exc.args[0], str) else ""


def again(
    unit: Unit = Unit.STATEMENT,
    *,
    feeds: Literal["breaker", "bulkhead"] | None = None,
    base_delay_s: float | None = None,
    max_attempts: int | None = None,
) -> Classification:
    """Return a transient meaning."""
    return Classification(
        Verdict.TRANSIENT,
        unit,
        base_delay_s=base_delay_s,
        max_attempts=max_attempts,
        feeds=feeds,
    )


SLOW_S = 1.0
"""Pause where capacity has run out, in seconds: it takes time to come back."""

PERMANENT = Classification(Verdict.PERMANENT)
NEVER = Classification(Verdict.NEVER)
TRANSACTION = again(Unit.TRANSACTION)
SATURATED = again(feeds="bulkhead")
UNREACHABLE = again(Unit.CONNECTION, feeds="breaker")
"""No connection, so nothing was sent."""

LOST = Classification(Verdict.AMBIGUOUS, Unit.CONNECTION, feeds="breaker")
"""The connection went away, perhaps between the deed and the answer."""

REOPEN_ONCE = again(Unit.CONNECTION, max_attempts=2, feeds="breaker")
"""Worth one more attempt, on a new connection; then it is more than a hiccup."""

TIMED_OUT = Classification(Verdict.AMBIGUOUS, feeds="breaker")
"""No answer in time, which leaves open whether it was done."""
