"""Every answer of a registry that is left in peace for a moment, against the reference."""

import asyncio
import json
from pathlib import Path
from typing import Any

from msgspec import Struct
from tests.soak.agents import SoakAgent
from tests.soak.load import Load
from tests.soak.reference import Truth, copied, revision_of
from tests.soak.wire import Connection

Json = dict[str, Any]
TRIES = 20
CONNECTIONS = 32


class Findings(Struct):
    """What is wrong, in words."""

    lost: list[str]
    """Acknowledged registrations that the database does not have."""
    stale: list[str]
    """Answers that are not what the database says."""
    unneeded: list[str]
    """Signals to agents that know all there is to know. They cost a request, and nothing else."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.lost) + len(self.stale) + len(self.unneeded)


class Check:
    """Compares a registry with its database.

    Args:
        load: The agents; they are paused.
        port: Of the registry itself.
        database: Its file.
    """

    def __init__(self, load: Load, port: int, database: Path) -> None:
        self._load = load
        self._database = database
        self._connections = [Connection(port) for _ in range(CONNECTIONS)]

    async def run(self) -> Findings:
        """Return what was found at a moment in which nothing changed.

        Raises:
            AssertionError: there was no such moment.
        """
        try:
            for _ in range(TRIES):
                truth = copied(self._database)
                findings = Findings([], [], [])
                await self._compare(truth, findings)
                # An agent that fell silent may have been taken for dead meanwhile.
                if revision_of(self._database) == truth.revision:
                    return findings
        finally:
            for connection in self._connections:
                connection.close()
        raise AssertionError("the database changes though nobody asks for it")

    async def _compare(self, truth: Truth, findings: Findings) -> None:
        agents = self._load.agents.values()
        findings.lost.extend(lost for agent in agents if (lost := _lost(agent, truth)))
        asking = iter([one for one in agents if one.alive and one.acknowledged is not None])

        async def ask(connection: Connection) -> None:
            for agent in asking:
                await self._signal(connection, agent, truth, findings)

        async with asyncio.TaskGroup() as asked:
            for connection in self._connections:
                asked.create_task(ask(connection))
        await self._listing(self._connections[0], truth, findings)

    async def _signal(
        self, connection: Connection, agent: SoakAgent, truth: Truth, findings: Findings
    ) -> None:
        """An agent is signalled if what it knows is not so, and then told what is."""
        stored = truth.agents.get(agent.id)
        signal = await self._load.head(connection, agent)
        if stored is None or stored.status != "healthy":
            if signal != 410:
                findings.stale.append(f"HEAD {agent.id}: {signal}, but it is not there")
            return
        wiring = truth.wiring(agent.id)
        if agent.told is not None:
            due = 200 if agent.told == wiring else 202
            if signal != due:
                told = f"HEAD {agent.id}: {signal} instead of {due}"
                (findings.unneeded if signal == 202 else findings.stale).append(told)
        if agent.change == agent.acknowledged:  # else it would be a change
            await self._load.post(connection, agent)
            if agent.told != wiring:
                findings.stale.append(f"POST {agent.id}: {agent.told} instead of {wiring}")

    async def _listing(self, connection: Connection, truth: Truth, findings: Findings) -> None:
        answer = await connection.ask("GET", "/agents")
        listed = {entry["id"]: entry for entry in json.loads(answer.body)["agents"]}
        for agent_id in listed.keys() ^ truth.agents.keys():
            findings.stale.append(f"GET /agents: {agent_id} is on one side only")
        for agent_id in listed.keys() & truth.agents.keys():
            shown, due = _shown(listed[agent_id]), _due(truth, agent_id)
            if shown != due:
                findings.stale.append(f"GET /agents: {shown} instead of {due}")
        for agent_id in sorted(listed)[:: max(len(listed) // 50, 1)]:
            one = await connection.ask("GET", f"/agents/{agent_id}")
            if _shown(json.loads(one.body)) != _due(truth, agent_id):
                findings.stale.append(f"GET /agents/{agent_id}: {one.body!r}")


def _lost(agent: SoakAgent, truth: Truth) -> str | None:
    if agent.acknowledged is None:
        return None
    stored = truth.agents.get(agent.id)
    if stored is None:
        return f"{agent.id}: is not there"
    # What was sent last and not answered may be there as well.
    if stored.version not in {f"1.{agent.acknowledged}.0", f"1.{agent.sent}.0"}:
        return f"{agent.id}: is {stored.version}, change {agent.acknowledged} was acknowledged"
    return None


def _shown(entry: Json) -> Json:
    shown = {name: entry[name] for name in ("id", "status", "version", "namespace", "endpoint")}
    shown["capabilities"] = [
        (capability["name"], capability["available"]) for capability in entry["capabilities"]
    ]
    return shown


def _due(truth: Truth, agent_id: str) -> Json:
    stored = truth.agents[agent_id]
    due: Json = {
        name: getattr(stored, name) for name in ("id", "status", "version", "namespace", "endpoint")
    }
    healthy = stored.status == "healthy"
    due["capabilities"] = [(tool.capability, healthy) for tool in stored.tools]
    return due
