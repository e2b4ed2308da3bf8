"""Error handling: retries, breakers, bulkheads, fallbacks; it needs tenacity, and no more of us."""

from meshaccel.resilience.backoff import Backoff, DecorrelatedJitter, FullJitter
from meshaccel.resilience.breaker import Breaker, Permit
from meshaccel.resilience.budget import RetryBudget
from meshaccel.resilience.bulkhead import Bulkhead
from meshaccel.resilience.circuit import CircuitBreaker
from meshaccel.resilience.classification import (
    DEFAULT_CLASSIFIER,
    Cause,
    Classifier,
    Codes,
    Rule,
)
from meshaccel.resilience.handlers import Failure, Ignore, Raise, Retry, Return
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.parking import ParkingBreaker
from meshaccel.resilience.parking_stats import ParkingStats
from meshaccel.resilience.policy import ONCE, RetryPolicy
from meshaccel.resilience.scope import current_deadline
from meshaccel.resilience.stats import OperationStats
from meshaccel.resilience.verdicts import Classification, Classifying, Unit, Verdict

__all__ = [
    "DEFAULT_CLASSIFIER",
    "ONCE",
    "Backoff",
    "Breaker",
    "Bulkhead",
    "Cause",
    "CircuitBreaker",
    "Classification",
    "Classifier",
    "Classifying",
    "Codes",
    "DecorrelatedJitter",
    "ErrorHandlingMiddleware",
    "Failure",
    "FullJitter",
    "Ignore",
    "OperationStats",
    "ParkingBreaker",
    "ParkingStats",
    "Permit",
    "Raise",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Return",
    "Rule",
    "Unit",
    "Verdict",
    "current_deadline",
]
