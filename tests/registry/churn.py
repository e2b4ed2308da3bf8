"""A fleet under churn: what its agents and their readers ask of a registry, and when.

Every agent gives a sign of life per beat, and registers again when it is told to. In each beat a
dashboard lists the fleet, and others look up some agents and ask what some would be wired to.
"""

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from meshaccel import AgentRegistry, Declaration, Dependency, Signal, Tool

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "catalog_changes.jsonl.gz"

BEAT_S = 5.0
"""Between two signs of life of an agent, as its SDK does it."""

NEEDS = 3
"""Capabilities of others that an agent depends on. The catalogue says nothing of that."""

LOOK_UPS = 10
RESOLUTIONS = 5
"""Per beat."""


class Event(NamedTuple):
    """An agent that comes, changes or leaves."""

    at: float
    """Seconds from the first event."""
    agent_id: str
    tools: tuple[str, ...] | None
    """What it offers from now on; None if it leaves."""


def recorded(quiet_s: float, limit: int | None = None) -> Iterator[Event]:
    """Yield the changes of the recorded catalogue, with every quiet time cut to ``quiet_s``."""
    at, last = 0.0, None
    with gzip.open(RECORDED, "rt") as lines:
        for line in islice(lines, limit):
            change: dict[str, Any] = json.loads(line)
            now = datetime.fromisoformat(change["t"]).timestamp()
            at += min(quiet_s, now - (now if last is None else last))
            last = now
            if change["op"] == "remove":
                yield Event(at, _slug(change["agent_id"]), None)
            elif "doc" in change:  # or nothing of the agent has changed
                tools = tuple(tool["name"] for tool in change["doc"]["capabilities"])
                agent_id = _slug(change["agent_id"])
                yield Event(at, agent_id, tools or (f"use_{agent_id}",))


def made(agents: int, changes: int, gap_s: float) -> Iterator[Event]:
    """Yield a fleet that comes at once, and then changes of single agents now and then."""
    chance = random.Random(1)  # noqa: S311 - the same changes each time
    names = [f"agent-{number}" for number in range(agents)]
    for name in names:
        yield Event(0.0, name, (f"use_{name}",))
    at = 0.0
    for _ in range(changes):
        at += chance.expovariate(1 / gap_s)
        name = chance.choice(names)
        yield Event(at, name, None if chance.random() < 1 / 20 else (f"use_{name}",))


class Replay:
    """Plays events and beats to a registry, which should have a long timeout."""

    def __init__(self, registry: AgentRegistry) -> None:
        self.asked: Counter[str] = Counter()
        """How often what was asked, changes apart."""
        self.read: Counter[str] = Counter()
        """How often that took the database."""
        self.beats = self.changes = 0
        self._registry = registry
        self._agents: dict[str, Declaration] = {}
        self._offered: list[str] = []
        self._wants: dict[str, tuple[Dependency, ...]] = {}
        self._chance = random.Random(2)  # noqa: S311 - the same each time

    async def run(self, events: Iterator[Event]) -> None:
        """Play all of it."""
        for event in events:
            while self.beats * BEAT_S < event.at:
                await self._beat()
            await self._change(event)
        await self._beat()

    async def _change(self, event: Event) -> None:
        self.changes += 1
        if event.tools is None:
            self._agents.pop(event.agent_id, None)
            await self._registry.unregister(event.agent_id)
            return
        # With a version of its own, each change shows in the wiring of whoever uses the agent.
        version = f"1.0.{self.changes}"
        wanted = self._wanted(event.agent_id)
        tools = tuple(
            Tool(
                function_name=name,
                capability=name,
                version=version,
                dependencies=None if number else wanted,
            )
            for number, name in enumerate(event.tools)
        )
        self._offered += [name for name in event.tools if name not in self._offered]
        declared = Declaration(
            agent_id=event.agent_id, http_host=event.agent_id, http_port=80, tools=tools
        )
        self._agents[event.agent_id] = declared
        await self._registry.register(declared)

    def _wanted(self, agent_id: str) -> tuple[Dependency, ...]:
        """Return what an agent depends on: chosen when it comes first, from what there is then."""
        if agent_id not in self._wants and self._offered:
            names = self._chance.choices(self._offered, k=NEEDS)
            self._wants[agent_id] = tuple(Dependency(capability=name) for name in names)
        return self._wants.get(agent_id, ())

    async def _beat(self) -> None:
        self.beats += 1
        for agent_id, declared in self._agents.items():
            signal = self._registry.heartbeat_at_once(agent_id)
            self.asked["heartbeats"] += 1
            if signal is None:
                before = self._reads()
                signal = await self._registry.heartbeat(agent_id)
                self.read["heartbeats"] += self._reads() > before
            if signal is not Signal.UNCHANGED:
                await self._registry.register(declared)
        agents = list(self._agents)
        await self._ask("listings", self._registry.list_agents())
        for agent_id in self._chance.choices(agents, k=LOOK_UPS):
            await self._ask("look-ups", self._registry.record(agent_id))
        for agent_id in self._chance.choices(agents, k=RESOLUTIONS):
            await self._ask("resolutions", self._registry.resolve(agent_id))

    async def _ask(self, what: str, answer: Awaitable[object]) -> None:
        before = self._reads()
        await answer
        self.asked[what] += 1
        self.read[what] += self._reads() > before

    def _reads(self) -> int:
        return self._registry.stats().database.acquires


def _slug(agent_id: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", agent_id.lower()).strip("-")[:63]
