"""Compare ConnectionPool with other ways to use SQLite from asyncio.

    python -m benches.pool [--rounds 7] [--packed] [--only NAME ...]
        [--workloads NAME ...] [--json FILE]

Needs the packages of the extra ``bench``. A file with 1,000 agents; contenders of 5 connections
take turns in one process, in random order and bursts of about a tenth of a second, and every
answer is checked. The figures are medians: microseconds of wall and of CPU time per operation,
the 99th percentile of the latency, and how many times ours each of them is (the median of the
rounds' ratios).

Where loop and worker threads run decides more than anything else: on one core a change of thread
is a function call for the kernel, on two it is a signal to a sleeping core. ``--packed`` binds the
process to one core; without it the kernel spreads the threads. Do not compare the two.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from benches.pool_contenders import CONTENDERS, Contender

AGENTS = 1_000
BURST_S = 0.1
OURS = "ConnectionPool"
Operation = Callable[[Contender, int], Awaitable[None]]


async def read(contender: Contender, key: int) -> None:
    row = await contender.read(key)
    assert row is not None
    assert row[0] == key


async def write(contender: Contender, key: int) -> None:
    await contender.write(key)


async def mixed(contender: Contender, key: int) -> None:
    await (write if random.random() < 0.05 else read)(contender, key)  # noqa: S311


async def batch(contender: Contender, key: int) -> None:
    keys = [(key + n) % AGENTS for n in range(8)]
    rows = await contender.batch(keys)
    assert [row[0] for row in rows if row is not None] == keys


WORKLOADS: dict[str, tuple[Operation, int]] = {
    "read, 1 at a time": (read, 1),
    "read, 10 at a time": (read, 10),
    "read, 100 at a time": (read, 100),
    "write, 1 at a time": (write, 1),
    "95 % reads, 100 at a time": (mixed, 100),
    "8 statements, 1 at a time": (batch, 1),
}


def make_file(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE agents (id INTEGER PRIMARY KEY, name, endpoint, status, updated)"
        )
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO agents VALUES (?, ?, ?, 'healthy', 0)",
            [(n, f"agent-{n}", f"http://10.0.0.1:{n}") for n in range(AGENTS)],
        )
        connection.execute("COMMIT")


class Burst(NamedTuple):
    """Seconds per operation, and at the 99th percentile."""

    wall: float
    cpu: float
    p99: float


async def burst(contender: Contender, operation: Operation, concurrency: int) -> Burst:
    """Keep ``concurrency`` clients busy for a while."""
    latencies: list[float] = []
    keys = cycle(random.sample(range(AGENTS), 97))
    start, cpu = time.perf_counter(), time.process_time()

    async def client() -> None:
        now = time.perf_counter()
        while now - start < BURST_S:
            asked = now
            await operation(contender, next(keys))
            now = time.perf_counter()
            latencies.append(now - asked)

    await asyncio.gather(*(client() for _ in range(concurrency)))
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    latencies.sort()
    count = len(latencies)
    return Burst(wall / count, cpu / count, latencies[int(count * 0.99)])


async def measure(
    names: list[str], workloads: list[str], rounds: int, path: str
) -> dict[str, object]:
    figures: dict[str, object] = {}
    async with AsyncExitStack() as opened:
        contenders = {
            name: await opened.enter_async_context(CONTENDERS[name](path)) for name in names
        }
        for workload in workloads:
            operation, concurrency = WORKLOADS[workload]
            taken: dict[str, list[Burst]] = {name: [] for name in names}
            for number in range(rounds + 1):
                for name in random.sample(names, len(names)):
                    result = await burst(contenders[name], operation, concurrency)
                    if number:  # the first round opens connections
                        taken[name].append(result)
            report(workload, taken)
            figures[workload] = taken
    return figures


def report(workload: str, taken: dict[str, list[Burst]]) -> None:
    print(f"\n{workload:<26}{'wall us':>10}{'ratio':>8}{'CPU us':>10}{'ratio':>8}", end="")
    print(f"{'p99 ms':>10}{'ratio':>8}")
    for name, results in taken.items():
        line = f"  {name:<24}"
        for column, unit in ((0, 1e6), (1, 1e6), (2, 1e3)):
            pairs = zip(results, taken[OURS], strict=True)
            ratio = statistics.median(theirs[column] / own[column] for theirs, own in pairs)
            median = statistics.median(result[column] for result in results) * unit
            line += f"{median:10.1f}{ratio:7.1f}x" if column < 2 else f"{median:10.2f}{ratio:7.1f}x"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--packed", action="store_true", help="bind the process to one core")
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.packed:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    names = [name for name in CONTENDERS if name in {*options.only, OURS}]
    print("one core" if options.packed else f"{len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "agents.db")
        make_file(path)
        figures = asyncio.run(measure(names, options.workloads, options.rounds, path))
    if options.json:
        options.json.write_text(json.dumps({"packed": options.packed, "figures": figures}))


if __name__ == "__main__":
    main()
