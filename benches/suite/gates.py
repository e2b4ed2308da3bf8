"""What no change may lose: a floor for the gain of every figure, in ``benches/floors.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median

import msgspec
from benches.suite.figure import AnyFigure, Taken

FLOORS = Path(__file__).parents[1] / "floors.toml"
LOOKS = 3
"""At a gain that another process may have spoilt. Two of them decide."""

Again = Callable[[Collection[str]], Mapping[str, Taken]]
"""Measures some figures once more, by name."""


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least gain of a figure."""

    floor: float
    measured: float
    """What it was when the floor was set, on a quiet machine."""
    why: str
    """Why the floor is where it is."""
    goal: float | None = None
    """What the brief expects, if it does."""


def read_floors(path: Path) -> dict[str, Floor]:
    """Return the floors by the names of their figures.

    Raises:
        tomllib.TOMLDecodeError: The file is not TOML.
        msgspec.ValidationError: A floor lacks something, or has something unknown.
    """
    return msgspec.convert(tomllib.loads(path.read_text()), dict[str, Floor])


def unmatched(names: Iterable[str], floors: Collection[str]) -> Iterator[str]:
    """Yield complaints about figures without a floor, and floors without a figure."""
    measured = set(names)
    for name in sorted(measured - set(floors)):
        yield f"{name}: no floor in {FLOORS.name}"
    for name in sorted(set(floors) - measured):
        yield f"{name}: a floor in {FLOORS.name}, but nothing measures it"


def fallen(
    figures: Iterable[AnyFigure],
    taken: Mapping[str, Taken],
    floors: Mapping[str, Floor],
    again: Again,
) -> Iterator[str]:
    """Yield complaints about gains below their floors.

    What is counted is what it is. What is timed and seems to be too slow is measured twice more,
    and the median of the three counts.
    """
    low = {
        figure.name: (figure, [gain])
        for figure in figures
        if figure.name in taken
        and (gain := figure.gained(taken[figure.name])) < floors[figure.name].floor
    }
    doubtful = [name for name, (figure, _) in low.items() if not figure.exact]
    for _ in range(LOOKS - 1 if doubtful else 0):
        for name, more in again(doubtful).items():
            figure, gains = low[name]
            gains.append(figure.gained(more))
    for name, (figure, gains) in low.items():
        gain, floor = median(gains), floors[name].floor
        if gain < floor:
            yield (
                f"{name}: {gain:.4g} {figure.gain}, the floor is {floor:g}"
                f" ({figure.what}, against {figure.against})"
            )
