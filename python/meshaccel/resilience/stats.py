"""What the error handling counts."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counters:
    """Running totals of an operation. Threads that race may lose a count, never the reason."""

    calls: int = 0
    failed: int = 0
    attempts_failed: int = 0
    retries: int = 0
    recovered: int = 0
    unrecovered: int = 0
    handled: int = 0
    fallbacks: int = 0
    ambiguous: int = 0
    refused: int = 0
    out_of_attempts: int = 0
    out_of_time: int = 0
    out_of_budget: int = 0
    timeouts: int = 0
    hedges: int = 0
    hedges_won: int = 0

    def snapshot(
        self, breaker: str | None, in_use: int | None, budget: float | None
    ) -> "OperationStats":
        """Return what was counted so far."""
        counts = {field.name: getattr(self, field.name) for field in fields(self)}
        return OperationStats(**counts, breaker=breaker, in_use=in_use, budget=budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStats:
    """A snapshot of one operation; the totals count since the middleware was made.

    Attributes:
        calls: calls of the operation.
        failed: calls that ended with an error.
        attempts_failed: attempts that failed.
        retries: attempts after the first.
        recovered: calls that succeeded after an attempt that failed.
        unrecovered: calls that failed though another attempt might have helped.
        handled: calls that a handler settled.
        fallbacks: calls that the fallback answered.
        ambiguous: calls that were not repeated because they may have had their effect.
        refused: attempts that the breaker or the bulkhead kept back.
        out_of_attempts: calls given up after as many attempts as allowed.
        out_of_time: calls given up because the deadline was too near.
        out_of_budget: calls given up because the retry budget was spent.
        timeouts: attempts that were cut off.
        hedges: second attempts made while the first went on.
        hedges_won: those of them that answered first.
        breaker: the state of the circuit breaker, None without one.
        in_use: calls that run now by the bulkhead, None without one.
        budget: retries that the budget would grant now, None without one.
    """

    calls: int
    failed: int
    attempts_failed: int
    retries: int
    recovered: int
    unrecovered: int
    handled: int
    fallbacks: int
    ambiguous: int
    refused: int
    out_of_attempts: int
    out_of_time: int
    out_of_budget: int
    timeouts: int
    hedges: int
    hedges_won: int
    breaker: str | None
    in_use: int | None
    budget: float | None

    @property
    def recovery_rate(self) -> float | None:
        """The share of calls saved among those that another attempt could save; None if none."""
        total = self.recovered + self.unrecovered
        return self.recovered / total if total else None
