"""What an error means for a retry: the terms in which classifier and pipeline talk."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol


class Verdict(Enum):
    """Whether the same call may succeed if it is made again."""

    TRANSIENT = "transient"
    """It did not happen, and may later: made again, if there is time."""

    PERMANENT = "permanent"
    """It will not happen: the error is the answer."""

    AMBIGUOUS = "ambiguous"
    """It may have happened: made again only if that does no harm."""

    NEVER = "never"
    """Not an error of the call, such as a cancellation: passed on untouched."""


class Unit(Enum):
    """How much has to be made again; each includes those before it."""

    STATEMENT = 1
    TRANSACTION = 2
    CONNECTION = 3


@dataclass(frozen=True, slots=True)
class Classification:
    """What is known of an error.

    Attributes:
        verdict: whether to try again.
        unit: what has to be made again as a whole.
        base_delay_s: the first pause before another attempt, in seconds, if it should be longer
            than the policy's.
        max_attempts: how many attempts in all make sense, if fewer than the policy's.
        retry_after_s: how many seconds the other side asked to be left alone.
        feeds: whose business it is: the circuit breaker's, as the dependency is in trouble; the
            bulkhead's, as this side asked for too much at once; or nobody's.
    """

    verdict: Verdict
    unit: Unit = Unit.STATEMENT
    base_delay_s: float | None = None
    max_attempts: int | None = None
    retry_after_s: float | None = None
    feeds: Literal["breaker", "bulkhead"] | None = None


class Classifying(Protocol):
    """Whatever can tell what an error means."""

    def classify(self, exc: BaseException, /) -> Classification:
        """Return what ``exc`` means; it does not raise."""
