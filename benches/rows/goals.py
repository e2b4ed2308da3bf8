"""What the native grouper is held to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benches.rows.contender import Section
from benches.rows.group_step import DEDUP, FED, GROUPED, JOIN_STEP, TWO_STEP, ZIPPED
from benches.rows.loop_lag import JOIN_IN_LOOP, JOIN_IN_LOOP_DECODED, Lag
from benches.rows.ours import bytes_name, objects_name
from benches.rows.python_plans import TWO_QUERIES_DUMPS

BEST = "the best in Python"


class Goal(NamedTuple):
    """In this section, ours is to be so many times as fast as the base."""

    section: str
    ours: str
    base: str
    times: float


GOALS = (
    Goal(JOIN_STEP, GROUPED, DEDUP, 1.8),
    Goal(TWO_STEP, FED, ZIPPED, 1.8),
    Goal("L0", objects_name("text", "levels"), BEST, 1.0),
    Goal("L0", objects_name("lazy", "levels"), BEST, 1.0),
    Goal("L1", objects_name("eager", "levels"), BEST, 1.0),
    Goal("L1", objects_name("shared", "levels"), BEST, 1.8),
    Goal("L2", bytes_name("levels"), TWO_QUERIES_DUMPS, 1.5),
    Goal("L2", bytes_name("levels"), BEST, 1.0),
)

SHORTER = 4.0
"""How many times shorter the event loop is to stand still."""
LAG_GOALS = (
    ("L0: " + objects_name("text", "levels"), JOIN_IN_LOOP),
    ("L0: " + objects_name("lazy", "levels"), JOIN_IN_LOOP),
    ("L1: " + objects_name("shared", "levels"), JOIN_IN_LOOP_DECODED),
    ("L1: " + objects_name("eager", "levels"), JOIN_IN_LOOP_DECODED),
    ("L2: " + bytes_name("levels"), JOIN_IN_LOOP_DECODED),
)


class Verdict(NamedTuple):
    """What came of a goal, by the clock and, where that was measured, by CPU time.

    CPU time decides where there is one: it is what the clock shows on an idle machine, as all
    contenders run one thread at a time.
    """

    what: str
    goal: float
    wall: float
    cpu: float | None

    def __str__(self) -> str:
        cpu = "" if self.cpu is None else f"{self.cpu:.2f}x CPU,"
        decides = self.wall if self.cpu is None else self.cpu
        reached = "" if decides >= self.goal else "  MISSED"
        return f"  {self.what:<86}{cpu:>12}{self.wall:7.2f}x of {self.goal:.1f}x{reached}"


def verdicts(sections: Mapping[str, Section], lags: Sequence[Lag]) -> Iterator[Verdict]:
    """Compare what was measured with the goals."""
    for goal in GOALS:
        section = sections[goal.section]
        base = section.best if goal.base == BEST else section[goal.base]
        if base is not None:
            wall, cpu = section[goal.ours].faster_than(base)
            what = f"{goal.section}: {goal.ours} / {base.name}"
            yield Verdict(what, goal.times, wall, cpu)
    longest = {lag.name: lag.max_s for lag in lags}
    for ours, base_name in LAG_GOALS:
        what = f"loop lag: {ours} / {base_name}"
        yield Verdict(what, SHORTER, longest[base_name] / longest[ours], None)
