"""What a process takes, from /proc, and whether it grows."""

from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, median

from msgspec import Struct

MB = 1 << 20
ENOUGH = 6
"""Samples that a line can be drawn through."""


class Sample(Struct, frozen=True):
    """A process at some moment. Memory is in bytes."""

    at_s: float
    pid: int
    rss: int
    uss: int
    """Memory that would be free if the process ended."""
    descriptors: int
    threads: int


class Bound(Struct, frozen=True):
    """How much of something may be gained in a window, by the line of least squares."""

    of: str
    share: float
    """Of its median."""
    slack: float


BOUNDS = (
    Bound("uss", 0.04, 3 * MB),
    Bound("rss", 0.04, 3 * MB),
    Bound("descriptors", 0.05, 6),
    Bound("threads", 0.0, 2),
)


def sample(pid: int, at_s: float) -> Sample:
    """Look at a process.

    Raises:
        OSError: there is none.
    """
    proc = Path(f"/proc/{pid}")
    memory = dict(
        line.split(":", 1) for line in (proc / "smaps_rollup").read_text().splitlines()[1:]
    )
    kilobytes = {name: int(value.split()[0]) for name, value in memory.items()}
    return Sample(
        at_s,
        pid,
        rss=kilobytes["Rss"] * 1024,
        uss=(kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]) * 1024,
        descriptors=len(list((proc / "fd").iterdir())),
        threads=len(list((proc / "task").iterdir())),
    )


def gained(samples: Sequence[Sample], of: str) -> float:
    """How much a line through the samples gains from the first to the last."""
    times = [each.at_s for each in samples]
    line = linear_regression(times, [getattr(each, of) for each in samples])
    return line.slope * (times[-1] - times[0])


def growths(samples: Sequence[Sample]) -> list[str]:
    """What grows beyond its bound, told in words; of too few samples nothing is said."""
    if len(samples) < ENOUGH:
        return []
    told = []
    for bound in BOUNDS:
        limit = bound.slack + bound.share * median(getattr(each, bound.of) for each in samples)
        gain = gained(samples, bound.of)
        if gain > limit:
            told.append(f"{bound.of} grew by {gain:,.0f}, more than {limit:,.0f}")
    return told
