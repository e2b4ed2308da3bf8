"""What is derived from the database and kept until a change touches it.

The tags of an entry name what it was derived from; a committed change drops exactly the
entries that carry one of its tags. Losing an entry is always safe: the next reader derives it
anew. Keeping a stale one never happens, not even when a change commits while an entry is
being derived: see ``TagCache.flight``.

Each kind of entry has a cache of its own, so that none crowds out another, and counts of its own.
There is no second level: the database is as near as one would be.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from meshaccel.cache import CacheStats, FetchContext, HierarchicalCache, TagCache
from meshaccel.db import candidates, listing
from meshaccel.db.candidates import Offers
from meshaccel.db.database import Database
from meshaccel.db.listing import AgentQuery
from meshaccel.errors import UnknownAgentError
from meshaccel.models import Candidate, ToolSummary
from meshaccel.registry.changes import TOOLS, Change, agent_tag, capability_tag
from meshaccel.registry.fleets import Fleet
from meshaccel.registry.gathering import Gathering
from meshaccel.registry.records import Record, Records
from meshaccel.registry.resolution import demand_of
from meshaccel.registry.telling import CurrentWiring

MAX_AGENTS = 100_000
MAX_CAPABILITIES = 100_000
"""Entries that are kept."""

AGENTS_PER_READ = 512
"""Agents that are read at a time when all are: their rows are many times what is kept of them."""

AGENTS_PER_TURN = 64
"""Agents looked into, or described, before other tasks get their turn."""

ENTRIES_PER_TURN = 1024
"""Entries looked for, or stored, before other tasks get their turn."""


class Derived:
    """Records, offers and wirings, each read from the database at most once per change."""

    def __init__(self, database: Database) -> None:
        self.records = Records()
        self._database = database
        self._caches: dict[str, TagCache[Any]] = {}
        self._known: TagCache[Record] = self.cache("agent", MAX_AGENTS)
        self._offered: TagCache[Offers] = self.cache("providers", MAX_CAPABILITIES)
        self._wired: TagCache[CurrentWiring] = self.cache("wiring", MAX_AGENTS)
        self._all: TagCache[tuple[Candidate, ...]] = self.cache("tools", 1)
        # The same entries, fetched once for all who want them.
        self._agents = HierarchicalCache(self._known, old_entries=0)
        self._offers = HierarchicalCache(self._offered, old_entries=0)
        self._wirings = HierarchicalCache(self._wired, old_entries=0)
        self._everything = HierarchicalCache(self._all, old_entries=0)
        # After a change or a start, many miss different entries in the same moment.
        self._agent_reads = Gathering(self._read_agents)
        self._offer_reads = Gathering(self._read_offers)

    def cache(self, kind: str, max_entries: int, *, max_bytes: int | None = None) -> TagCache[Any]:
        """Return a new cache whose entries the changes of the fleet drop by their tags."""
        cache: TagCache[Any] = TagCache(max_entries, max_bytes=max_bytes)
        self._caches[kind] = cache
        return cache

    def stats(self) -> dict[str, CacheStats]:
        """Return what each cache did, by the kind of its entries."""
        return {kind: cache.stats() for kind, cache in self._caches.items()}

    def invalidate(self, changes: Iterable[Change]) -> None:
        """Drop everything that committed changes touch."""
        changes = list(changes)
        self.drop(tag for change in changes for tag in change.tags())
        for change in changes:
            if change.record is not None:
                record = change.record
                self._known.set(f"agent:{record.id}", record, tags=[agent_tag(record.id)])
            for name, offers in change.offers.items():
                self._offered.set(f"providers:{name}", offers, tags=[capability_tag(name)])

    def known_offers(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of the named capabilities whose offers need no reading."""
        return frozenset(name for name in names if f"providers:{name}" in self._offered)

    def drop(self, tags: Iterable[str]) -> None:
        """Drop every entry with one of these tags."""
        tags = list(tags)
        for cache in self._caches.values():
            cache.invalidate_by_tag(*tags)

    def clear(self) -> None:
        """Drop everything: after a commit whose outcome is unknown."""
        for cache in self._caches.values():
            cache.clear()

    def cached_wiring(self, agent_id: str) -> CurrentWiring | None:
        """Return an agent's wiring if it needs no reading."""
        return self._wired.get(f"wiring:{agent_id}")

    async def warm_up(self) -> None:
        """Read all agents, some by one grouped query, and then all that they choose from."""
        query = AgentQuery(limit=AGENTS_PER_READ)
        records: list[Record] = []
        while True:
            found = await self._all_agents(query)
            records += found
            if len(found) < AGENTS_PER_READ or len(records) >= MAX_AGENTS:
                break
            query = AgentQuery(limit=AGENTS_PER_READ, after=found[-1].id)
        await self.fleet(record.tools for record in records)

    def known_agent(self, agent_id: str) -> Record | None:
        """Return an agent if it needs no reading."""
        return self._known.get(f"agent:{agent_id}")

    async def agent(self, agent_id: str) -> Record:
        """Return an agent.

        Raises:
            UnknownAgentError: it is not registered.
        """
        found = await self._some_agents([agent_id])
        if not found:
            raise UnknownAgentError(f"agent {agent_id} is not registered")
        return found[agent_id]

    async def agents(self, query: AgentQuery) -> list[Record]:
        """Return the agents that match, in order of id, all as of one revision of the fleet."""
        matching = await self._database.read(lambda conn: listing.revisions(conn, query))
        known: dict[str, Record] = {}
        for number, (agent_id, revision) in enumerate(matching, 1):
            record = self._known.get(f"agent:{agent_id}")
            if record is not None and record.revision == revision:
                known[agent_id] = record
            if number % ENTRIES_PER_TURN == 0:
                await asyncio.sleep(0)
        missing = [agent_id for agent_id, _ in matching if agent_id not in known]
        if len(missing) <= min(len(known), ENTRIES_PER_TURN):
            known |= await self._some_agents(missing)
            found = [known[agent_id] for agent_id, _ in matching if agent_id in known]
            if [(record.id, record.revision) for record in found] == matching:
                return found
        # Most are not known, or some have changed since the first look.
        return await self._all_agents(query)

    async def wiring(self, agent_id: str) -> CurrentWiring:
        """Return what an agent is to be told now.

        Raises:
            UnknownAgentError: it is not registered.
            RegistrationRejectedError: the wiring is too large to be told.
        """
        wiring = self._wiring_at_once(agent_id)
        if wiring is not None:
            return wiring

        async def resolve(context: FetchContext[CurrentWiring]) -> CurrentWiring:
            tools = (await self.agent(agent_id)).tools
            fleet = await self.fleet([tools])
            context.tags.update(fleet.tags())
            return CurrentWiring.of(fleet.resolver().resolve_agent(agent_id, tools))

        return await self._wirings.get(f"wiring:{agent_id}", resolve, tags=[agent_tag(agent_id)])

    def _wiring_at_once(self, agent_id: str) -> CurrentWiring | None:
        """Return an agent's wiring if all that it is derived from needs no reading."""
        known = self.cached_wiring(agent_id)
        if known is not None:
            return known
        record = self.known_agent(agent_id)
        fleet = None if record is None else self.fleet_at_once(record.tools)
        if record is None or fleet is None:
            return None
        wiring = CurrentWiring.of(fleet.resolver().resolve_agent(agent_id, record.tools))
        # Nothing could change since it was begun: there was no turn of the loop.
        self._wired.set(f"wiring:{agent_id}", wiring, [agent_tag(agent_id), *fleet.tags()])
        return wiring

    def fleet_at_once(self, tools: Sequence[ToolSummary]) -> Fleet | None:
        """As ``fleet`` of one agent, if that needs no reading."""
        demand = demand_of(tools)
        everything = self._all.get(TOOLS) if demand.everything else ()
        if everything is None:
            return None
        offers: dict[str, Offers] = {}
        wanted = set(demand.capabilities)
        while wanted:
            name = wanted.pop()
            found = self._offered.get(f"providers:{name}")
            if found is None:
                return None
            offers[name] = found
            wanted |= found.required - offers.keys()
        return Fleet(offers, everything, demand.everything)

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
            level = await self._some_offers(wanted)
            offers |= level
            wanted = set().union(*(found.required for found in level.values())) - offers.keys()
        everything = await self._all_offers() if all_tools else ()
        return Fleet(offers, everything, all_tools)

    async def _some_agents(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return those of a few agents that are registered."""
        found = await self._agents.get_many(
            [f"agent:{agent_id}" for agent_id in ids],
            self._agent_reads.read,
            # The key of an agent is the tag of what is derived from it.
            tags_of=lambda key, _: [key],
        )
        return {record.id: record for record in found.values()}

    async def _read_agents(self, keys: Sequence[str]) -> dict[str, Record]:
        ids = [key.removeprefix("agent:") for key in keys]
        found = await self._database.read(
            lambda conn: listing.some_agents(conn, ids, self.records.read)
        )
        return {f"agent:{record.id}": record for record in found}

    async def _all_agents(self, query: AgentQuery) -> list[Record]:
        """Return those that match. Who they are is known only when they have been read."""
        with self._known.flight() as flight:
            found = await self._database.read(
                lambda conn: listing.agents(conn, query, self.records.read)
            )
            for number, record in enumerate(found, 1):
                tags = [agent_tag(record.id)]
                self._known.set(f"agent:{record.id}", record, tags=tags, since=flight)
                if number % ENTRIES_PER_TURN == 0:
                    await asyncio.sleep(0)
        return found

    async def _some_offers(self, names: Iterable[str]) -> dict[str, Offers]:
        """Return the offers of each named capability."""
        keys = [f"providers:{name}" for name in names]
        if len(keys) > ENTRIES_PER_TURN:
            missing = [key for key in keys if key not in self._offered]
            if len(missing) > ENTRIES_PER_TURN:
                await self._load_offers(missing)
        found = await self._offers.get_many(
            keys, self._offer_reads.read, tags_of=lambda key, _: [capability_tag(_name(key))]
        )
        return {_name(key): offers for key, offers in found.items()}

    async def _load_offers(self, keys: Sequence[str]) -> None:
        """Read very many at once: ``get_many`` would store them all in one turn."""
        with self._offered.flight() as flight:
            found = await self._read_offers(keys)
            for number, (key, offers) in enumerate(found.items(), 1):
                self._offered.set(key, offers, tags=[capability_tag(_name(key))], since=flight)
                if number % ENTRIES_PER_TURN == 0:
                    await asyncio.sleep(0)

    async def _read_offers(self, keys: Sequence[str]) -> dict[str, Offers]:
        names = [_name(key) for key in keys]
        found = await self._database.read(
            lambda conn: candidates.offers(conn, names, self.records.tool)
        )
        return {f"providers:{name}": offers for name, offers in found.items()}

    async def _all_offers(self) -> tuple[Candidate, ...]:
        async def read() -> tuple[Candidate, ...]:
            return await self._database.read(
                lambda conn: candidates.every_offer(conn, self.records.tool)
            )

        return await self._everything.get(TOOLS, read, tags=[TOOLS])


def _name(key: str) -> str:
    return key.removeprefix("providers:")
