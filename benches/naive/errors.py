"""The error handling of the brief.

Corrected: it leaves open what ``_should_retry`` and ``DEFAULT_RETRY`` are. Here any error is
retried, three attempts in all, a tenth of a second apart; the last error is raised, where a loop
that ran out would return None.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how far apart."""

    max_attempts: int = 3

    def backoff_delay(self, _attempt: int) -> float:
        """Return a pause in seconds."""
        return 0.1


DEFAULT_RETRY = RetryPolicy()


class ErrorHandlingMiddleware:
    """Retries operations, by policies under the names of functions."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self.retry_policies: dict[str, RetryPolicy] = {}
        self._sleep = sleep

    async def handle_with_retry(self, operation: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Await an operation until it succeeds, or attempts run out."""
        policy = self.retry_policies.get(operation.__name__, DEFAULT_RETRY)
        for attempt in range(policy.max_attempts):
            try:
                return await operation(*args)
            except Exception:
                if attempt + 1 == policy.max_attempts:
                    raise
                await self._sleep(policy.backoff_delay(attempt))
        raise AssertionError
