"""What a pool counts."""

from bisect import bisect_left
from dataclasses import dataclass, field

BOUNDS_S = (
    0.00005, 0.0001, 0.00025, 0.0005,
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


class Timings:
    """A histogram that is being filled."""

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


@dataclass(slots=True)
class Counters:
    """Running totals; touched in the event loop only."""

    wait: Timings = field(default_factory=Timings)
    use: Timings = field(default_factory=Timings)
    hops: int = 0
    interrupts: int = 0
    timeouts: int = 0
    rejected: int = 0
    opened: int = 0
    closed: int = 0
    expired: int = 0
    leaks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A snapshot of a pool; the totals count since it was opened.

    Attributes:
        size: connections that are open.
        idle: those of them that nobody uses.
        in_use: those that somebody uses; the writer's counts while it writes.
        opening: connections being opened.
        max_connections: the bound of ``size + opening``.
        waiting: who waits for a connection.
        write_waiting: who waits for the writer.
        acquires: connections handed out, and single reads and writes served.
        hops: round trips to a connection's thread.
        timeouts: who waited too long.
        rejected: who was turned away because too many were waiting.
        cancelled: who was cancelled while waiting.
        interrupts: running statements that were interrupted.
        opened: connections opened.
        closed: connections closed.
        expired: connections closed for their age or idleness.
        replaced: dead connections replaced when they were found.
        health_checks: connections examined after they were idle.
        rollbacks: transactions that were left open and rolled back.
        leaks: connections held longer than ``leak_after``, or dropped without being given back.
        busy_retries: times the writer found the database locked by another process.
        groups: write transactions that held queued single writes.
        grouped_writes: the single writes in them.
        wait: time until a connection was there.
        use: time until it was given back.
    """

    size: int
    idle: int
    in_use: int
    opening: int
    max_connections: int
    waiting: int
    write_waiting: int
    acquires: int
    hops: int = 0
    timeouts: int = 0
    rejected: int = 0
    cancelled: int = 0
    interrupts: int = 0
    opened: int = 0
    closed: int = 0
    expired: int = 0
    replaced: int = 0
    health_checks: int = 0
    rollbacks: int = 0
    leaks: int = 0
    busy_retries: int = 0
    groups: int = 0
    grouped_writes: int = 0
    wait: Histogram
    use: Histogram
