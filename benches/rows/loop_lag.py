"""How long the event loop stands still while agents are read."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import aiosqlite
import orjson
from benches.rows.contender import Contender, Effort
from benches.rows.dataset import Json
from benches.rows.fetch_step import fetch_all
from benches.rows.python_plans import (
    AGENTS,
    CAPABILITIES,
    JOINED,
    Load,
    group_joined,
    group_two,
    one_hop,
)

TICK_S = 0.001
IDLE = "nothing but the ticker"
JOIN_IN_LOOP = "join, grouped in the loop"
JOIN_IN_LOOP_DECODED = f"{JOIN_IN_LOOP}, orjson.loads"


@dataclass
class Lag:
    """By how many seconds a ticker of 1 ms was late while a contender ran, a list per round."""

    name: str
    call: Callable[[], Awaitable[Any]]
    late_s: list[list[float]] = field(default_factory=list)

    @property
    def max_s(self) -> float:
        """The median over the rounds of a round's longest lag."""
        return median(max(late) for late in self.late_s)

    @property
    def p99_s(self) -> float:
        """Of all ticks of all rounds."""
        return quantiles((tick for late in self.late_s for tick in late), n=100)[98]


def in_loop(conn: aiosqlite.Connection) -> list[Contender]:
    """Return who fetches in the worker, but groups in the event loop."""

    async def joined(load: Load) -> list[Json]:
        (rows,) = await one_hop(conn, lambda db: fetch_all(db, statements=(JOINED,)))
        return group_joined(rows, load)

    async def two(load: Load) -> list[Json]:
        statements = (AGENTS, CAPABILITIES)
        agents, children = await one_hop(conn, lambda db: fetch_all(db, statements=statements))
        return group_two(agents, children, load)

    return [
        Contender(JOIN_IN_LOOP, lambda: joined(None)),
        Contender("two queries, grouped in the loop", lambda: two(None)),
        Contender(JOIN_IN_LOOP_DECODED, lambda: joined(orjson.loads)),
        Contender("two queries, grouped in the loop, orjson.loads", lambda: two(orjson.loads)),
    ]


async def measure_lag(contenders: Sequence[Contender], effort: Effort) -> list[Lag]:
    """Let the contenders take turns beside a ticker, in another order each round."""
    lags = [Lag(IDLE, lambda: asyncio.sleep(0.05))]
    lags += [Lag(contender.name, contender.call) for contender in contenders]
    order = random.Random(effort.rounds)  # noqa: S311 - repeatable, not secret
    for _ in range(effort.rounds):
        for lag in order.sample(lags, len(lags)):
            await effort.between()
            late: list[float] = []
            ticker = asyncio.create_task(_tick(late))
            await asyncio.sleep(2 * TICK_S)
            result = await lag.call()
            ticker.cancel()
            # What was late because of the last stretch is only seen by the tick after it.
            await asyncio.wait([ticker])
            del result
            lag.late_s.append(late)
    gc.enable()
    return lags


async def _tick(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        try:
            await asyncio.sleep(TICK_S)
        finally:
            late.append(max(0.0, time.perf_counter() - began - TICK_S))
