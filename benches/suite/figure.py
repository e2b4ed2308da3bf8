"""What is measured: ours beside the brief's code, in one process, in turns."""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, Generic, TypeVar

Fixture = TypeVar("Fixture")


class Gain(StrEnum):
    """How ours is compared. More is better, always."""

    TIMES = "x"
    """How many times ours fits into the baseline's."""
    LESS = "% less"
    """How many percent less than the baseline's."""
    SHARE = "%"
    """Ours as it is, a share of something in percent."""

    def of(self, ours: float, baseline: float) -> float:
        """Return the gain."""
        if self is Gain.SHARE:
            return ours
        if self is Gain.LESS:
            return 100 * (1 - ours / baseline)
        return baseline / ours


@dataclass(frozen=True)
class Effort:
    """How much to measure."""

    rounds: int = 11
    turn_s: float = 0.02
    """CPU time, or time, of one turn at least."""


FULL = Effort()
QUICK = Effort(rounds=5, turn_s=0.01)


@dataclass(frozen=True)
class Taken:
    """What came of a figure: one number per round for each side."""

    ours: tuple[float, ...]
    baseline: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Figure(Generic[Fixture]):
    """One figure of a part. ``ours`` and ``baseline`` are called with what the part opened."""

    name: str
    what: str
    """What is counted or timed, for the reader of the table."""
    unit: str
    against: str
    """What the baseline is."""
    gain: Gain
    ours: Callable[[Fixture], Awaitable[Any]]
    baseline: Callable[[Fixture], Awaitable[Any]]
    quick: bool = True
    """Whether the short form has it."""
    here: bool = True
    """Whether this system can measure it."""

    @property
    def exact(self) -> bool:
        """Whether it comes out the same on any machine, so that one look is enough."""
        raise NotImplementedError

    async def take(self, fixture: Fixture, effort: Effort) -> Taken:
        """Measure it."""
        raise NotImplementedError

    def gained(self, taken: Taken) -> float:
        """Return the median of the rounds' gains."""
        return median(map(self.gain.of, taken.ours, taken.baseline))


@dataclass(frozen=True, kw_only=True)
class Counted(Figure[Fixture]):
    """Both sides return a number, which no other process can change."""

    @property
    def exact(self) -> bool:
        """Yes."""
        return True

    async def take(self, fixture: Fixture, effort: Effort) -> Taken:  # noqa: ARG002
        """Count once."""
        ours, baseline = await self.ours(fixture), await self.baseline(fixture)
        return Taken((float(ours),), (float(baseline),))


@dataclass(frozen=True, kw_only=True)
class Timed(Figure[Fixture]):
    """Both sides do the same ``each`` times; taken is what one costs, in microseconds."""

    unit: str = "CPU us"
    gain: Gain = Gain.TIMES
    each: int = 1
    clock: Callable[[], float] = time.process_time
    """CPU time of all threads: what other processes do meanwhile is not counted."""

    @property
    def exact(self) -> bool:
        """No."""
        return False

    async def take(self, fixture: Fixture, effort: Effort) -> Taken:
        """Let both take turns, in another order each round."""
        turns = [
            await self._turn(side, fixture, effort.turn_s) for side in (self.ours, self.baseline)
        ]
        order = random.Random(effort.rounds)  # noqa: S311 - repeatable, not secret
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(effort.rounds):
            for side in order.sample((0, 1), 2):
                gc.collect()
                seconds[side].append(await turns[side]() / self.each * 1e6)
        return Taken(tuple(seconds[0]), tuple(seconds[1]))

    async def _turn(
        self, side: Callable[[Fixture], Awaitable[object]], fixture: Fixture, turn_s: float
    ) -> Callable[[], Awaitable[float]]:
        """Return what does it as often as fills a turn, and returns the seconds of once."""

        async def turn(times: int) -> float:
            began = self.clock()
            for _ in range(times):
                await side(fixture)
            return (self.clock() - began) / times

        # The first one opens connections and fills memos: not for the figure, but for a guess.
        first = await turn(1)
        once = first if first > turn_s else await turn(1)
        times = max(1, math.ceil(turn_s / max(once, 1e-6)))
        return lambda: turn(times)


@dataclass(frozen=True)
class Part(Generic[Fixture]):
    """A part of the brief: what its figures need, and the figures."""

    name: str
    opened: Callable[[], AbstractAsyncContextManager[Fixture]]
    figures: tuple[Figure[Fixture], ...]

    async def take(self, names: Iterable[str], effort: Effort) -> dict[str, Taken]:
        """Measure the figures of these names, if any is ours."""
        wanted = [figure for figure in self.figures if figure.here and figure.name in set(names)]
        if not wanted:
            return {}
        async with self.opened() as fixture:
            return {figure.name: await figure.take(fixture, effort) for figure in wanted}


AnyPart = Part[Any]
AnyFigure = Figure[Any]
