"""Error handling: retries, breakers, bulkheads, fallbacks; it needs tenacity, and no more of us."""

from meshaccel.resilience.backoff import Backoff, DecorrelatedJitter, FullJitter
from meshaccel.resilience.breaker import Breaker, Permit
from meshaccel.resilience.budget import RetryBudget
from meshaccel.resilience.bulkhead import Bulkhead
from meshaccel.resilience.circuit import CircuitBreaker
from meshaccel.resilience.handlers import Failure, Ignore, Raise, Retry, Return
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.policy import ONCE, RetryPolicy
from meshaccel.resilience.scope import current_deadline
from meshaccel.resilience.stats import OperationStats
from meshaccel.resilience.verdicts import Classification, Classifying, Unit, Verdict

__all__ = [
    "ONCE",
    "Backoff",
    "Breaker",
    "Bulkhead",
    "CircuitBreaker",
    "Classification",
    "Classifying",
    "DecorrelatedJitter",
    "ErrorHandlingMiddleware",
    "Failure",
    "FullJitter",
    "Ignore",
    "OperationStats",
    "Permit",
    "Raise",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Return",
    "Unit",
    "Verdict",
    "current_deadline",
]
