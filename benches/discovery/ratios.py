"""What the feed costs a change, and what asking costs: ratios, interleaved, medians."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

import msgspec
from benches.discovery.fleet import EPOCH, Fleet
from msgspec import Struct

from meshaccel.db import feed
from meshaccel.discovery.protocol import ChangesRequest

UPDATES = 200
PAGE = 4120
"""Bytes of a page in the log of SQLite, with its header."""


class ChangeCost(Struct, frozen=True):
    """A change of an agent with the feed, against one without."""

    ratio: float
    """Of the time of a transaction."""
    pages: float
    pages_without: float
    """Written to the log."""


def change_cost(path: Path, size: int, rounds: int) -> ChangeCost:
    """Measure changes with the feed; without, revisions have the index that they had before it."""
    log = path.with_name(f"{path.name}-wal")
    with Fleet(path, size) as fleet:
        conn = fleet.conn
        conn.execute("PRAGMA wal_autocheckpoint = 0")

        def measured() -> tuple[float, float]:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            spent = median(_timed(fleet.change) for _ in range(UPDATES))
            return spent, log.stat().st_size / PAGE / UPDATES

        withs, withouts = [], []
        for _ in range(rounds):
            withs.append(measured())
            conn.execute("CREATE UNIQUE INDEX without ON agents (revision)")
            with patch.object(feed, "saved", lambda *_: None):
                withouts.append(measured())
            conn.execute("DROP INDEX without")
    ratios = [ours[0] / plain[0] for ours, plain in zip(withs, withouts, strict=True)]
    return ChangeCost(median(ratios), median(p for _, p in withs), median(p for _, p in withouts))


class DeltaCost(Struct, frozen=True):
    """Answers against the answer with everything."""

    ten: float
    nothing: float
    """How many times longer everything takes than ten changes, and than none."""
    ten_bytes: int
    all_bytes: int


def delta_cost(fleet: Fleet, rounds: int) -> DeltaCost:
    """Measure answers of the server's core, with encoding."""

    def told(since: int) -> Callable[[], bytes]:
        return lambda: msgspec.json.encode(fleet.answer(_asked(since, fleet.size)))

    for _ in range(10):
        fleet.change()
    now = fleet.revision
    everything, ten, nothing = told(0), told(now - 10), told(now)
    all_bytes, ten_bytes = len(everything()), len(ten())
    spent = [(_timed(everything), _often(ten), _often(nothing)) for _ in range(rounds)]
    return DeltaCost(
        median(row[0] / row[1] for row in spent),
        median(row[0] / row[2] for row in spent),
        ten_bytes,
        all_bytes,
    )


def _asked(since: int, size: int) -> ChangesRequest:
    return ChangesRequest(epoch=EPOCH if since else None, since=since, limit=2 * size)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _often(work: Callable[[], object]) -> float:
    return median(_timed(work) for _ in range(51))
