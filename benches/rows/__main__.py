"""What does it cost to read all agents with their capabilities?

    python -m benches.rows                               # 1,000 and 10,000 agents, 15 min
    python -m benches.rows --agents 1000 --pin           # all threads on one core
    python -m benches.rows --quick                       # rough, under 20 s

A SQLite file (WAL) holds agents of 15 columns (0.9 kB, two of them JSON) with ten capabilities
each, whose input schemas of 300 to 2,000 bytes are drawn from 60 distinct ones.  All contenders
give the same agents, which is checked: at L0 with JSON columns as text, at L1 decoded, at L2 as the
bytes of a response.  They take turns in one process, in another order each round, with a garbage
collection before each call; medians of the rounds are shown.  CPU is that of all threads of the
process.  Queries are counted by SQLite, or by SQLAlchemy.  Then come the steps of a reading by
themselves, and how long the event loop stands still while one runs in the worker.

What hands over between threads costs a multiple where they run on two cores: --pin and its
absence are two figures, not to be mixed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import aiosqlite
from benches.rows.contender import Contender, Effort, Section, check_equal, measure
from benches.rows.dataset import write_dataset
from benches.rows.fetch_step import fetch_section
from benches.rows.group_step import group_sections
from benches.rows.loop_lag import in_loop, measure_lag
from benches.rows.orm import sqlalchemy_contenders
from benches.rows.ours import native_contenders
from benches.rows.python_plans import N_PLUS_ONE, one_hop, python_contenders
from benches.rows.report import Result, write_json

from meshaccel.pool.connector import PRAGMAS

PACKAGES = ("meshaccel", "aiosqlite", "orjson", "sqlalchemy")
TITLES = {
    "L0": "nested dicts, JSON columns still to be decoded",
    "L1": "nested dicts or objects, JSON columns decoded",
    "L2": "the bytes of a response",
}


class Queries:
    """Counts statements that read."""

    def __init__(self) -> None:
        self._seen = 0

    def see(self, statement: str) -> None:
        """Count a statement. May be called in any thread, while nobody asks for the count."""
        self._seen += statement.lstrip().startswith("SELECT")

    def take(self) -> int:
        """Return how many there were since the last call."""
        seen, self._seen = self._seen, 0
        return seen


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open a connection as everyone uses it here."""
    async with aiosqlite.connect(path, isolation_level=None) as conn:
        for name, value in PRAGMAS.items():
            await conn.execute(f"PRAGMA {name} = {value}")
        yield conn


async def run(path: Path, agents: int, asked: argparse.Namespace) -> Result:
    """Measure everything at one size."""
    queries = Queries()
    async with opened(path) as conn, sqlalchemy_contenders(path, queries.see) as orm:
        # The thread of aiosqlite holds what it made last.
        settle = partial(one_hop, conn, lambda _: None)
        rounds = min(asked.rounds, max(3, asked.rounds * 1_000 // agents))
        effort = Effort(rounds, asked.collect, settle)
        levels = _levels(conn, orm)
        reading = [contender for section in levels.values() for contender in section.contenders]
        await conn.set_trace_callback(queries.see)
        await check_equal(reading, queries.take)
        # None removes it; aiosqlite's annotation does not know.
        await conn.set_trace_callback(None)  # type: ignore[arg-type]
        fetching = fetch_section(conn)
        await measure([*reading, *fetching.contenders], effort)
        lags = await measure_lag([*in_loop(conn), *_one_hop(levels)], effort)
        steps = await one_hop(conn, group_sections)
        stepping = [contender for section in steps.values() for contender in section.contenders]
        await check_equal(stepping, queries.take)
        await measure(stepping, effort)
    return Result(agents, {**levels, "fetch": fetching, **steps}, lags)


def _levels(conn: aiosqlite.Connection, orm: list[Contender]) -> dict[str, Section]:
    python, native = python_contenders(conn), native_contenders(conn)
    python["L1"] += orm
    return {
        level: Section(TITLES[level], python[level] + native[level], N_PLUS_ONE) for level in python
    }


def _one_hop(levels: Mapping[str, Section]) -> list[Contender]:
    """Return who does all its work in the worker, in one hop."""
    return [
        replace(contender, name=f"{level}: {contender.name}")
        for level, section in levels.items()
        for contender in section.contenders
        if contender.name.startswith(("RowGrouper", "two queries"))
    ]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=9, help="fewer beyond 1,000 agents")
    parser.add_argument("--pin", action="store_true", help="run all threads on one core (Linux)")
    parser.add_argument("--no-gc", dest="collect", action="store_false", help="collect no garbage")
    parser.add_argument("--quick", action="store_true", help="smaller, rougher, under 20 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw results")
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    asked, began = options(), time.monotonic()
    cores = sorted(os.sched_getaffinity(0))[: 1 if asked.pin else None]
    os.sched_setaffinity(0, cores)
    if asked.quick:
        asked.agents, asked.rounds = [200], 2
    results = []
    for agents in asked.agents:
        with tempfile.TemporaryDirectory(prefix="rows-") as folder:
            path = Path(folder) / "agents.db"
            write_dataset(path, agents)
            results.append(asyncio.run(run(path, agents, asked)))
        print(results[-1].table(), flush=True)
    setting = {
        "versions": {name: version(name) for name in PACKAGES} | {"sqlite": sqlite3.sqlite_version},
        "cores": cores,
        "rounds": asked.rounds,
        "garbage": "collected" if asked.collect else "not collected",
        "wall_s": round(time.monotonic() - began, 1),
    }
    print(f"\n{setting}")
    if asked.json:
        write_json(asked.json, setting, results)


if __name__ == "__main__":
    main()
