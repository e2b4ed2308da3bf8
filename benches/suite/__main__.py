"""Measure this package beside the code of the brief it set out from.

    python -m benches.suite                        # all figures; writes bench-results/latest.json
    python -m benches.suite --only listing pool.read_10
    python -m benches.suite --check                # and fail where a gain is below its floor
    python -m benches.suite --check --quick        # what `make test` runs

Needs nothing but the extra ``test``. Ours and the baseline (``benches/naive``) take turns in one
process; a gain is the median of the rounds' ratios of CPU time, or of counts that no other process
can change. Floors are in ``benches/floors.toml``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from benches.suite import cache, discovery, errors, instructions, listing, metadata, pool, registry
from benches.suite.figure import FULL, QUICK, AnyFigure, AnyPart, Effort, Taken
from benches.suite.gates import FLOORS, fallen, read_floors, unmatched
from benches.suite.report import document, table, write
from rich.console import Console

PARTS: tuple[AnyPart, ...] = (
    listing.PART,
    metadata.PART,
    cache.PART,
    discovery.PART,
    errors.PART,
    pool.PART,
    registry.PART,
    instructions.PART,
)
FIGURES: tuple[AnyFigure, ...] = tuple(figure for part in PARTS for figure in part.figures)
RESULTS = Path(__file__).parents[2] / "bench-results" / "latest.json"


def measure(names: Collection[str], effort: Effort) -> dict[str, Taken]:
    """Measure figures, part by part."""
    taken: dict[str, Taken] = {}
    for part in PARTS:
        taken |= asyncio.run(part.take(names, effort))
    return taken


def chosen(only: Collection[str], *, quick: bool) -> list[AnyFigure]:
    """Return the figures of these names or parts, or all; the short form's if there is no choice.

    Raises:
        ValueError: There is no such figure and no such part.
    """
    known = {figure.name for figure in FIGURES} | {part.name for part in PARTS}
    if unknown := sorted(set(only) - known):
        raise ValueError(f"no such figure or part: {', '.join(unknown)}")
    return [
        figure
        for figure in FIGURES
        if (figure.name in only or figure.name.partition(".")[0] in only)
        or (not only and (figure.quick or not quick))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; return 1 if something is below its floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="figures, or parts")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, half a minute")
    parser.add_argument("--check", action="store_true", help="fail below the floors")
    parser.add_argument("--floors", type=Path, default=FLOORS, metavar="FILE")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    asked = parser.parse_args(arguments)
    try:
        figures = chosen(asked.only, quick=asked.quick)
    except ValueError as error:
        parser.error(str(error))
    began, effort, floors = (
        time.monotonic(),
        QUICK if asked.quick else FULL,
        read_floors(asked.floors),
    )
    complaints = list(unmatched([figure.name for figure in FIGURES], floors))
    if asked.check and complaints:
        return _told(complaints)
    taken = measure([figure.name for figure in figures], effort)
    if asked.check:
        complaints += fallen(figures, taken, floors, lambda names: measure(names, effort))
    seconds = time.monotonic() - began
    Console(width=None if sys.stdout.isatty() else 160).print(table(figures, taken, floors))
    for figure in figures:
        if not figure.here:
            print(f"{figure.name}: this system cannot measure it")
    write(asked.json, document(figures, taken, floors, effort, seconds))
    print(f"{seconds:.0f} s; {asked.json}")
    return _told(complaints) if asked.check else 0


def _told(complaints: Sequence[str]) -> int:
    for complaint in complaints:
        print(f"FAILED {complaint}")
    if not complaints:
        print("Every gain is above its floor.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
