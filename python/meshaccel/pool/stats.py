"""What a pool counts."""

from dataclasses import dataclass, field

from meshaccel.timings import Histogram, Timings


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
