"""Measure MetadataPool beside what else there is.

    python -m benches.metadata            # 15 minutes, most of it the fleet of 100,000 agents
    python -m benches.metadata --quick    # a minute
    python -m benches.metadata --only speed --sizes 6000

Memory needs Linux; ``pip install 'meshaccel[test,bench]'`` has what is compared with.
"""

import argparse
from collections.abc import Iterator

from benches.metadata.fleet import CATALOGUE
from benches.metadata.memory import WAYS, growth
from benches.metadata.pages import pages
from benches.metadata.speed import SIZES, Table, cold, hot, records

FLEETS = {1_000: 97.5, 10_000: 98.0, 100_000: 98.3}
"""Agents, and how many percent less than parsed copies is the goal."""

MEASURED_COPIES = 10_000
"""Copies of more agents than this would not fit, and grow in proportion anyway."""

ALONE = 1_000
"""Agents, each of a type of its own."""


def memory(fleets: list[int], alone: int) -> Iterator[str]:
    """Yield lines on how much less each way takes than parsed copies."""
    for size in fleets:
        copied = min(size, MEASURED_COPIES)
        plain = growth("parsed copies", copied) * size // copied
        yield f"memory, {size} agents in 5 contexts: parsed copies {plain / 1e6:.1f} MB"
        ways = list(WAYS)[1:] if size <= MEASURED_COPIES else ["MetadataPool"]
        for way in ways:
            goal = FLEETS.get(size) if way == "MetadataPool" else None
            yield _line(way, growth(way, size), plain, goal)
    for contexts, goal in ((5, 94.0), (1, 75.0)):
        plain = growth("parsed copies", alone, contexts=contexts, own_types=True)
        yield (
            f"memory, {alone} agents without replicas, every description unique, "
            f"{contexts} context(s): parsed copies {plain / 1e6:.1f} MB"
        )
        for way in (
            "static part split off by hand",
            "frozendict and tuple consing",
            "MetadataPool",
        ):
            taken = growth(way, alone, contexts=contexts, own_types=True)
            yield _line(way, taken, plain, goal if way == "MetadataPool" else None)


def _line(way: str, taken: int, plain: int, goal: float | None) -> str:
    less = 100 * (1 - taken / plain)
    verdict = "" if goal is None else f"  goal {goal:g}  {'met' if less >= goal else 'MISSED'}"
    return f"    {less:8.2f} % less, {taken / 1e6:8.1f} MB  {way}{verdict}"


def speed(sizes: list[int], rounds: int, burst_s: float) -> Iterator[str]:
    """Yield lines on how many times faster than others ours is."""
    found = records()
    tables: list[Table] = [table for size in sizes for table in hot(size, found[size])]
    for table in [*tables, *cold(), *pages()]:
        table.measure(rounds, burst_s)
        yield from table.lines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, small fleets")
    parser.add_argument("--only", choices=["memory", "speed"])
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=[*SIZES])
    parser.add_argument("--agents", type=int, nargs="+", default=None)
    options = parser.parse_args()
    print("types:", CATALOGUE.name if CATALOGUE.exists() else "made up")
    if options.only != "memory":
        rounds, burst_s = (5, 0.005) if options.quick else (15, 0.02)
        for line in speed(options.sizes, rounds, burst_s):
            print(line, flush=True)
    if options.only != "speed":
        fleets = options.agents or ([1_000] if options.quick else [*FLEETS])
        for line in memory(fleets, 200 if options.quick else ALONE):
            print(line, flush=True)


if __name__ == "__main__":
    main()
