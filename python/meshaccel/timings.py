"""How often something took how long, in buckets that every histogram of ours shares."""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS_S = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the buckets of a histogram, in seconds; the last bucket has none."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long.

    Attributes:
        counts: observations per bucket of ``BOUNDS_S``, and those beyond the last bound.
        total: the sum of all observations, in seconds.
    """

    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """The number of observations."""
        return sum(self.counts)

    def quantile(self, q: float) -> float:
        """Return the upper bound, in seconds, of the bucket in which quantile ``q`` lies."""
        rank = q * self.count
        seen = 0
        for bound, count in zip((*BOUNDS_S, float("inf")), self.counts, strict=True):
            seen += count
            if seen and seen >= rank:
                return bound
        return 0.0

    def quantile_ms(self, q: float) -> float | None:
        """Return ``quantile`` in milliseconds, at most the last bound; None without observations.

        What is made for JSON has no infinity.
        """
        if not any(self.counts):
            return None
        return round(min(self.quantile(q), BOUNDS_S[-1]) * 1000, 3)


class Timings:
    """A histogram that is being filled. Observing takes some 100 ns."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._total += seconds

    def at_once(self) -> None:
        """Count something that took no time worth reading the clock for."""
        self._counts[0] += 1

    def snapshot(self) -> Histogram:
        """Return what was observed so far."""
        return Histogram(tuple(self._counts), self._total)
