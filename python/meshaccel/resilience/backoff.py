"""How long to wait before another attempt."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from meshaccel.errors import PolicyError

Uniform = Callable[[float, float], float]
"""Draws a number between two, as ``random.Random.uniform`` does."""


class Backoff(Protocol):
    """A way to space attempts."""

    def pause_s(
        self, attempt: int, previous_s: float, base_s: float | None, uniform: Uniform
    ) -> float:
        """Return the pause after an attempt that failed, in seconds.

        Args:
            attempt: the number of that attempt, from 1.
            previous_s: the pause before it; 0 before the first.
            base_s: the first pause that the error asks for, if it is known to last.
            uniform: where chance comes from.
        """


@dataclass(frozen=True, slots=True)
class FullJitter:
    """Anything up to ``base_s`` doubled with each attempt, and at most ``cap_s``; in seconds.

    Of the ways compared in Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture
    Blog, 2015), the one that spreads callers best.

    Raises:
        PolicyError: a value is negative or not finite.
    """

    base_s: float = 0.05
    cap_s: float = 2.0

    def __post_init__(self) -> None:
        _check(self.base_s, self.cap_s)

    def pause_s(
        self, attempt: int, previous_s: float, base_s: float | None, uniform: Uniform
    ) -> float:
        """Return a pause that depends on nothing but the number of the attempt."""
        del previous_s
        base = max(self.base_s, base_s or 0.0)
        # Nobody waits for 2**64 of anything; a float would overflow at 2**1024.
        return uniform(0.0, min(max(self.cap_s, base), base * 2.0 ** min(attempt - 1, 64)))


@dataclass(frozen=True, slots=True)
class DecorrelatedJitter:
    """Between ``base_s`` and three times the last pause, and at most ``cap_s``; in seconds.

    From the same article as ``FullJitter``: it never comes back at once, and grows more evenly.

    Raises:
        PolicyError: a value is negative or not finite.
    """

    base_s: float = 0.05
    cap_s: float = 2.0

    def __post_init__(self) -> None:
        _check(self.base_s, self.cap_s)

    def pause_s(
        self, attempt: int, previous_s: float, base_s: float | None, uniform: Uniform
    ) -> float:
        """Return a pause that depends on the one before."""
        del attempt
        base = max(self.base_s, base_s or 0.0)
        return min(max(self.cap_s, base), uniform(base, max(base, 3.0 * previous_s)))


def _check(base_s: float, cap_s: float) -> None:
    for seconds in (base_s, cap_s):
        if not 0 <= seconds < math.inf:
            raise PolicyError(f"a pause must be a number of seconds from 0, not {seconds}")
