"""Hit ratios of caches on the traces of the tests.

    python -m benches.cache_hits [--plot] [--requests N]

Needs the extra ``bench``. With ``--plot`` it draws hits over size for the recorded traces, with
what a cache could have that knows the future, into ``docs/cache_hit_ratio.svg``.
"""

import argparse
import heapq
from collections.abc import Callable
from pathlib import Path

from benches import cache_contenders as contenders
from benches.cache_contenders import Contender
from benches.cache_plot import Point, svg
from tests.cache import traces

MADE: tuple[Callable[[int], Contender], ...] = (
    contenders.meshaccel,
    contenders.cachetools_lru,
    contenders.moka,
    contenders.theine_tlfu,
)
SHARES = (0.01, 0.1)
PLOTTED = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Percent of the distinct keys that fit in."""

PLOT = Path(__file__).parents[1] / "docs" / "cache_hit_ratio.svg"


def hit_ratio(contender: Contender, trace: list[str]) -> float:
    get, put, found = contender.get, contender.set, 0
    for key in trace:
        # theine answers with a value and whether it was found.
        if get(key) in (None, (None, False)):
            put(key, key)
        else:
            found += 1
    return found / len(trace)


def optimum(trace: list[str], size: int) -> float:
    """Evict what is used again last, or never (Belady, 1966)."""
    following, later = [0] * len(trace), dict[str, int]()
    for at in range(len(trace) - 1, -1, -1):
        following[at] = later.get(trace[at], len(trace))
        later[trace[at]] = at
    next_use: dict[str, int] = {}
    farthest: list[tuple[int, str]] = []
    found = 0
    for at, key in enumerate(trace):
        found += key in next_use
        next_use[key] = following[at]
        heapq.heappush(farthest, (-following[at], key))
        while len(next_use) > size:
            use, victim = heapq.heappop(farthest)
            # What was pushed before a key was used again is out of date.
            if next_use.get(victim) == -use:
                del next_use[victim]
    return found / len(trace)


def print_hits(requests: int | None) -> None:
    names = [make(10).name for make in MADE]
    print("\nHits in percent, by share of the distinct keys that fit in")
    print(f"  {'':<24}" + "".join(f"{name:>16}" for name in names))
    for name, trace in [*traces.recorded(requests), *traces.generated(200_000).items()]:
        for share in SHARES:
            size = int(len(set(trace)) * share)
            ratios = [hit_ratio(make(size), trace) for make in MADE]
            cells = "".join(f"{ratio * 100:16.1f}" for ratio in ratios)
            print(f"  {name:<18}{share:>6.0%}" + cells)


def plot(requests: int | None) -> None:
    panels = {}
    for name, trace in traces.recorded(requests):
        keys = len(set(trace))
        sizes = {percent: max(1, int(keys * percent / 100)) for percent in PLOTTED}
        lines: dict[str, list[Point]] = {
            "optimum": [(share, optimum(trace, size) * 100) for share, size in sizes.items()]
        }
        for make in MADE:
            lines[make(10).name] = [
                (share, hit_ratio(make(size), trace) * 100) for share, size in sizes.items()
            ]
        panels[f"{name}: {len(trace):,} requests, {keys:,} keys"] = lines
        for line, points in lines.items():
            print(f"{name:<10}{line:<16}" + "".join(f"{y:7.1f}" for _, y in points))
    PLOT.write_text(svg(panels, "share of the distinct keys that fit in", "Hits over size"))
    print(f"written: {PLOT}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plot", action="store_true")
    parser.add_argument("--requests", type=int, help="of each recorded trace, at most")
    options = parser.parse_args()
    if options.plot:
        plot(options.requests)
    else:
        print_hits(options.requests)


if __name__ == "__main__":
    main()
