"""For how long does a registry of many agents keep a heartbeat waiting, and what does it hold?

    python -m benches.registry_stalls              # 10,000 agents, about 2 minutes, Linux
    python -m benches.registry_stalls --quick      # 1,000 agents

A database is filled with agents as ``benches/fleet.py`` makes them; then a registry is started on
it and asked for the listing: the first one, one after a change, and one after nothing changed.  All
the while one connection sends ``HEAD`` after ``HEAD``: the longest of them is how long the event
loop stood still at the most, and a little more.  Times depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from benches.fleet import Agent, fleet
from benches.loadgen import Answer, Request, burst, request
from benches.registry_process import OUR_COMMAND, OURS, Registry

from meshaccel import AgentRegistry, RegistrySettings
from meshaccel.http import wire

LIST = request("GET", "/agents")
BEFORE_S = 0.2
"""Seconds of heartbeats alone before anything else is asked for."""


async def fill(path: Path, agents: list[Agent]) -> None:
    """Register agents at a new database, and let them learn of each other."""
    settings = RegistrySettings(timeout_s=3600)
    async with await AgentRegistry.open(str(path), settings=settings) as registry:
        for _ in range(2):
            for agent in agents:
                await registry.register(wire.read_declaration(agent.body(), registry.tools))


class Probe:
    """Heartbeats of one agent, one after the other, while something else is asked for.

    In a process of its own: reading a large answer would keep it waiting.
    """

    def __init__(self, port: int, agent: Agent) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        asked = (port, request("HEAD", f"/heartbeat/{agent.id}"), there)
        self._process = context.Process(target=_beat, args=asked)

    def __enter__(self) -> Self:
        self._process.start()
        self._here.recv()
        time.sleep(BEFORE_S)
        return self

    def __exit__(self, *error: object) -> None:
        self._here.send("end")
        self._latencies: list[float] = self._here.recv()
        self._process.join()

    def longest_ms(self) -> float:
        """Return how long the longest heartbeat took."""
        return max(self._latencies) * 1e3


def _beat(port: int, head: Request, told: Connection) -> None:
    def until_told() -> Iterator[Request]:
        while not told.poll():
            yield head

    told.send("ready")
    told.send(burst(port, until_told(), _fine, connections=1, limit_s=600))


def _fine(asked: Request, answer: Answer) -> None:
    if answer.status not in (200, 202):
        raise ValueError(f"{asked.raw[:60]!r}: {answer.status}")


def measure(registry: Registry, agents: list[Agent], what: str, asked: list[Request]) -> None:
    """Ask while the heart beats; print how long both took."""
    sizes: list[int] = []

    def check(asked: Request, answer: Answer) -> None:
        _fine(asked, answer)
        sizes.append(len(answer.body))

    cpu = registry.cpu_seconds()
    with Probe(registry.port, agents[0]) as probe:
        seconds = burst(registry.port, asked, check, connections=1, limit_s=600)
    cpu = registry.cpu_seconds() - cpu
    print(
        f"{what:26}{seconds[-1]:8.2f} s{cpu:8.2f} s CPU{sizes[-1] / 1e6:8.1f} MB"
        f"{probe.longest_ms():9.1f} ms the longest heartbeat",
        flush=True,
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How long does a registry keep others waiting?")
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="1,000 agents")
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    asked = options()
    agents = fleet(1000 if asked.quick else asked.agents)
    with tempfile.TemporaryDirectory(prefix="registry-stalls-") as folder:
        database = Path(folder) / f"{OURS}.db"
        asyncio.run(fill(database, agents))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        began = time.monotonic()
        with Registry(OURS, OUR_COMMAND, Path(folder)) as registry:
            start = time.monotonic() - began
            print(f"{len(agents)} agents, {size / 1e6:.0f} MB of database")
            print(f"start: {start:.2f} s, {registry.resident_mb():.0f} MB resident")
            agents[-1].change()
            change = request("POST", "/heartbeat", agents[-1].body())
            measure(registry, agents, "first listing", [LIST])
            measure(registry, agents, "after a change", [change, LIST])
            measure(registry, agents, "after nothing changed", [LIST])
            heads = [request("HEAD", f"/heartbeat/{agent.id}") for agent in agents]
            measure(registry, agents, "a heartbeat of each agent", heads)
            print(f"end: {registry.resident_mb():.0f} MB resident")


if __name__ == "__main__":
    main()
