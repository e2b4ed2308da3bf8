"""What was measured: as a table, and as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benches.provenance import provenance
from benches.suite.figure import AnyFigure, Effort, Gain, Taken
from benches.suite.gates import Floor
from rich.table import Table

PACKAGES = ("meshaccel", "aiosqlite", "httpx", "orjson", "tenacity")


def table(
    figures: Sequence[AnyFigure], taken: Mapping[str, Taken], floors: Mapping[str, Floor]
) -> Table:
    """Return what was measured, beside the floors and the brief's goals."""
    shown = Table(title="Ours beside the code of the brief")
    shown.add_column("figure")
    shown.add_column("what", max_width=44)
    shown.add_column("against", max_width=24)
    for column in ("ours", "baseline", "", "gain", "floor", "brief"):
        shown.add_column(column, justify="left" if not column else "right", no_wrap=True)
    part = ""
    for figure in figures:
        if figure.name not in taken:
            continue
        if part and part != figure.name.partition(".")[0]:
            shown.add_section()
        part = figure.name.partition(".")[0]
        found, floor = taken[figure.name], floors.get(figure.name)
        gain = figure.gained(found)
        low = floor is not None and gain < floor.floor
        shown.add_row(
            figure.name,
            figure.what,
            figure.against,
            _short(median(found.ours)),
            _short(median(found.baseline)),
            figure.unit,
            f"{_gain(gain, figure.gain)} {figure.gain}",
            f"{floor.floor:g}" if floor else "none",
            f"{floor.goal:g}" if floor and floor.goal is not None else "",
            style="red" if low else None,
        )
    return shown


def document(
    figures: Sequence[AnyFigure],
    taken: Mapping[str, Taken],
    floors: Mapping[str, Floor],
    effort: Effort,
    seconds: float,
) -> dict[str, object]:
    """Return everything that is needed to compare the figures to another day's."""
    versions = {name: version(name) for name in PACKAGES} | {"sqlite": sqlite3.sqlite_version}
    return {
        "provenance": provenance(),
        "versions": versions,
        "rounds": effort.rounds,
        "seconds": round(seconds, 1),
        "figures": [
            {
                "name": figure.name,
                "what": figure.what,
                "unit": figure.unit,
                "against": figure.against,
                "exact": figure.exact,
                "ours": median(taken[figure.name].ours),
                "baseline": median(taken[figure.name].baseline),
                "gain": figure.gained(taken[figure.name]),
                "gain_unit": str(figure.gain),
                "better": "higher",
                "floor": floors[figure.name].floor if figure.name in floors else None,
                "goal": floors[figure.name].goal if figure.name in floors else None,
                "samples": {
                    "ours": taken[figure.name].ours,
                    "baseline": taken[figure.name].baseline,
                },
            }
            for figure in figures
            if figure.name in taken
        ],
    }


def write(path: Path, found: Mapping[str, object]) -> None:
    """Write a document, in a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 or number == round(number) else f"{number:.3g}"


def _gain(gain: float, unit: Gain) -> str:
    return f"{gain:.3g}" if unit is Gain.TIMES else f"{gain:.2f}"
