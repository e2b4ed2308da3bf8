"""What is derived from the database and kept until a change touches it.

The tags of an entry name what it was derived from; a committed change drops exactly the
entries that carry one of its tags. Losing an entry is always safe: the next reader derives it
anew. Keeping a stale one never happens, not even when a change commits while an entry is
being derived: see ``TagCache.flight``.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import Any

from meshaccel.cache import Flight, TagCache
from meshaccel.db import candidates, listing
from meshaccel.db.candidates import Offers
from meshaccel.db.database import Database
from meshaccel.db.listing import AgentQuery
from meshaccel.errors import UnknownAgentError
from meshaccel.models import Candidate, ToolSummary
from meshaccel.registry.changes import TOOLS, Change, agent_tag, capability_tag
from meshaccel.registry.fleets import Fleet
from meshaccel.registry.records import Record, Records
from meshaccel.registry.resolution import demand_of
from meshaccel.registry.telling import CurrentWiring

MAX_AGENTS = 100_000
MAX_CAPABILITIES = 100_000
"""Entries that are kept."""

AGENTS_PER_TURN = 64
"""Agents looked into, or described, before other tasks get their turn."""

ENTRIES_PER_TURN = 1024
"""Entries looked for, or stored, before other tasks get their turn."""


class Derived:
    """Records, offers and wirings, each read from the database at most once per change."""

    def __init__(self, database: Database) -> None:
        self.records = Records()
        self._database = database
        self._caches: list[TagCache[Any]] = []
        self._agents: TagCache[Record] = self.cache(MAX_AGENTS)
        self._offers: TagCache[Offers] = self.cache(MAX_CAPABILITIES)
        self._everything: TagCache[tuple[Candidate, ...]] = self.cache(1)
        self._wirings: TagCache[CurrentWiring] = self.cache(MAX_AGENTS)
        # One reader at a time: of a crowd that misses the same entry, the first one fills it.
        self._reading = asyncio.Lock()

    def cache(self, max_entries: int, *, max_bytes: int | None = None) -> TagCache[Any]:
        """Return a new cache whose entries the changes of the fleet drop by their tags."""
        cache: TagCache[Any] = TagCache(max_entries, max_bytes=max_bytes)
        self._caches.append(cache)
        return cache

    def invalidate(self, changes: Iterable[Change]) -> None:
        """Drop everything that committed changes touch."""
        changes = list(changes)
        tags = [tag for change in changes for tag in change.tags()]
        for cache in self._caches:
            cache.invalidate_by_tag(*tags)
        for change in changes:
            if change.record is not None:
                self._keep(change.record, None)

    def clear(self) -> None:
        """Drop everything: after a commit whose outcome is unknown."""
        for cache in self._caches:
            cache.clear()

    def cached_wiring(self, agent_id: str) -> CurrentWiring | None:
        """Return an agent's wiring if it needs no reading."""
        return self._wirings.get(f"wiring:{agent_id}")

    async def agent(self, agent_id: str) -> Record:
        """Return an agent.

        Raises:
            UnknownAgentError: it is not registered.
        """
        record = self._agents.get(f"agent:{agent_id}")
        if record is not None:
            return record
        found = await self._read_agents(
            lambda conn: listing.some_agents(conn, [agent_id], self.records.read)
        )
        if not found:
            raise UnknownAgentError(f"agent {agent_id} is not registered")
        return found[0]

    async def agents(self, query: AgentQuery) -> list[Record]:
        """Return the agents that match, in order of id, all as of one revision of the fleet."""
        matching = await self._database.read(lambda conn: listing.revisions(conn, query))
        known: dict[str, Record] = {}
        for number, (agent_id, revision) in enumerate(matching, 1):
            record = self._agents.get(f"agent:{agent_id}")
            if record is not None and record.revision == revision:
                known[agent_id] = record
            if number % ENTRIES_PER_TURN == 0:
                await asyncio.sleep(0)
        missing = [agent_id for agent_id, _ in matching if agent_id not in known]
        if len(missing) <= len(known):
            if missing:
                read = await self._read_agents(
                    lambda conn: listing.some_agents(conn, missing, self.records.read)
                )
                known |= {record.id: record for record in read}
            found = [known[agent_id] for agent_id, _ in matching if agent_id in known]
            if [(record.id, record.revision) for record in found] == matching:
                return found
        # Most are not known, or some have changed since the first look.
        return await self._read_agents(lambda conn: listing.agents(conn, query, self.records.read))

    async def wiring(self, agent_id: str) -> CurrentWiring:
        """Return what an agent is to be told now.

        Raises:
            UnknownAgentError: it is not registered.
            RegistrationRejectedError: the wiring is too large to be told.
        """
        cached = self.cached_wiring(agent_id)
        if cached is not None:
            return cached
        with self._wirings.flight() as flight:
            tools = (await self.agent(agent_id)).tools
            fleet = await self.fleet([tools])
            current = CurrentWiring.of(fleet.resolver().resolve_agent(agent_id, tools))
            tags = [agent_tag(agent_id), *fleet.tags()]
            self._wirings.set(f"wiring:{agent_id}", current, tags=tags, since=flight)
        return current

    async def fleet(self, agents: Iterable[Iterable[ToolSummary]]) -> Fleet:
        """Read all that these agents' tools choose from and require, level by level."""
        wanted: set[str] = set()
        all_tools = False
        for number, tools in enumerate(agents, 1):
            demand = demand_of(tools)
            wanted |= demand.capabilities
            all_tools = all_tools or demand.everything
            if number % AGENTS_PER_TURN == 0:
                await asyncio.sleep(0)
        offers: dict[str, Offers] = {}
        while wanted:
            level = await self._read_offers(wanted)
            offers |= level
            wanted = set().union(*(found.required for found in level.values())) - offers.keys()
        everything = await self._read_everything() if all_tools else ()
        return Fleet(offers, everything, all_tools)

    async def _read_agents(
        self, work: Callable[[sqlite3.Connection], list[Record]]
    ) -> list[Record]:
        with self._agents.flight() as flight:
            found = await self._database.read(work)
            for number, record in enumerate(found, 1):
                self._keep(record, flight)
                if number % ENTRIES_PER_TURN == 0:
                    await asyncio.sleep(0)
        return found

    def _keep(self, record: Record, flight: Flight | None) -> None:
        tags = [agent_tag(record.id)]
        self._agents.set(f"agent:{record.id}", record, tags=tags, since=flight)

    async def _read_offers(self, names: Collection[str]) -> dict[str, Offers]:
        found, missing = self._cached_offers(names)
        if not missing:
            return found
        async with self._reading:
            found, missing = self._cached_offers(names)
            if missing:
                with self._offers.flight() as flight:
                    read = await self._database.read(
                        lambda conn: candidates.offers(conn, missing, self.records.tool)
                    )
                    for name, offers in read.items():
                        tags = [capability_tag(name)]
                        self._offers.set(f"providers:{name}", offers, tags=tags, since=flight)
                found |= read
        return found

    def _cached_offers(self, names: Iterable[str]) -> tuple[dict[str, Offers], list[str]]:
        found: dict[str, Offers] = {}
        missing: list[str] = []
        for name in names:
            offers = self._offers.get(f"providers:{name}")
            if offers is None:
                missing.append(name)
            else:
                found[name] = offers
        return found, missing

    async def _read_everything(self) -> tuple[Candidate, ...]:
        async with self._reading:
            everything = self._everything.get(TOOLS)
            if everything is None:
                with self._everything.flight() as flight:
                    everything = await self._database.read(
                        lambda conn: candidates.every_offer(conn, self.records.tool)
                    )
                    self._everything.set(TOOLS, everything, tags=[TOOLS], since=flight)
        return everything
