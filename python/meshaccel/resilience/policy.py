"""What an operation may cost in time and attempts."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshaccel.errors import PolicyError
from meshaccel.resilience.backoff import Backoff, FullJitter
from meshaccel.resilience.verdicts import Unit

if TYPE_CHECKING:
    from tenacity.wait import wait_base


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how long and in which pauses an operation is tried.

    The defaults survive the restart of a dependency: a deadline bounds the attempts, not a
    number, as the pauses of three attempts are shorter than any failover.

    Attributes:
        attempts: how many there are at most, the first included; None for as many as fit.
        deadline_s: seconds from the call's start in which attempts may begin. Calls within it
            inherit what is left. By itself it cuts nothing off, as that takes a timer.
        attempt_timeout_s: after how many seconds an attempt is cut off, or at the deadline if that
            comes first. Cut off, it may have had its effect. Only for coroutines.
        idempotent: whether making the call twice does no harm. Otherwise it is not made again
            after an error that leaves open whether it had its effect.
        unit: what the function that is passed does by itself. One that is a statement within
            somebody else's transaction is not repeated alone where the transaction must be.
        backoff: the pauses: one of ours, or any wait strategy of tenacity.
        hedge_after_s: after how many seconds without an answer the call is made a second time
            while the first goes on, and the first answer wins. Only for idempotent coroutines.

    Raises:
        PolicyError: the values do not fit each other.
    """

    attempts: int | None = None
    deadline_s: float | None = 10.0
    attempt_timeout_s: float | None = None
    idempotent: bool = False
    unit: Unit = Unit.CONNECTION
    backoff: "Backoff | wait_base" = FullJitter()  # noqa: RUF009 - it is frozen
    hedge_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 1:
            raise PolicyError(f"attempts must be at least 1, not {self.attempts}")
        if self.attempts is None and self.deadline_s is None:
            raise PolicyError("without attempts and deadline_s a call might never end")
        for name in ("deadline_s", "attempt_timeout_s", "hedge_after_s"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise PolicyError(f"{name} must be a positive number of seconds, not {value}")
        if self.hedge_after_s is not None and not self.idempotent:
            raise PolicyError("only an idempotent operation can be hedged: it may happen twice")

    @property
    def retries(self) -> bool:
        """Whether there may be a second attempt."""
        return self.attempts != 1


ONCE = RetryPolicy(attempts=1, deadline_s=None)
"""One attempt, without a deadline: only handlers, gates and figures."""
