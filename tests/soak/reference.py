"""What every answer has to be, worked out from nothing but a copy of the database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from meshaccel.models import Candidate, Tool
from meshaccel.registry.resolution import Resolver, Wiring


class Stored(Struct, frozen=True):
    """An agent in the database."""

    id: str
    status: str
    version: str
    namespace: str
    endpoint: str
    created_at_us: int
    tools: tuple[Tool, ...]


class Truth:
    """A database at one revision. Nothing is kept from one copy to the next."""

    def __init__(self, revision: int, agents: list[Stored]) -> None:
        self.revision = revision
        self.agents = {agent.id: agent for agent in agents}
        self.healthy = [agent for agent in agents if agent.status == "healthy"]
        self.healthy.sort(key=lambda agent: (agent.created_at_us, agent.id))
        everything = [
            Candidate(agent.id, agent.endpoint, tool)
            for agent in self.healthy
            for tool in agent.tools
        ]
        lookup: dict[str, list[Candidate]] = {}
        for candidate in everything:
            lookup.setdefault(candidate.tool.capability or "", []).append(candidate)
        self._resolver = Resolver(lookup, everything)

    def wiring(self, agent_id: str) -> Wiring:
        """What an agent has to be told."""
        return self._resolver.resolve_agent(agent_id, self.agents[agent_id].tools)


def copied(path: Path) -> Truth:
    """Copy a database that is in use, in one transaction, and read the copy."""
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as source,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy)
        return _read(copy)


def revision_of(path: Path) -> int:
    """The revision that a database is at."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as conn:
        return int(conn.execute("SELECT revision FROM meta").fetchone()[0])


def _read(conn: sqlite3.Connection) -> Truth:
    tools: dict[str, list[Tool]] = {}
    for agent_id, definition in conn.execute(
        "SELECT agent_id, definition FROM agent_capabilities"
        " JOIN capabilities ON id = capability_id ORDER BY agent_id, position"
    ):
        tools.setdefault(agent_id, []).append(msgspec.json.decode(definition, type=Tool))
    agents = [
        Stored(agent_id, status, version, namespace, endpoint, at_us, tuple(tools[agent_id]))
        for agent_id, status, version, namespace, endpoint, at_us in conn.execute(
            "SELECT id, status, version, namespace, endpoint, created_at_us FROM agents"
        )
    ]
    (revision,) = conn.execute("SELECT revision FROM meta").fetchone()
    return Truth(int(revision), agents)
