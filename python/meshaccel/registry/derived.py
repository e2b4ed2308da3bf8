"""What is derived from the database and kept until a change touches it.

The tags of an entry name what it was derived from; a committed change drops exactly the
entries that carry one of its tags. Losing an entry is always safe: the next reader derives it
anew. Keeping a stale one never happens, not even when a change commits while an entry is
being derived: see ``TagCache.flight``.
"""

import asyncio
from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from meshaccel.cache import TagCache
from meshaccel.content import digest_bytes
from meshaccel.db import candidates, listing
from meshaccel.db.candidates import Offers
from meshaccel.db.database import Database
from meshaccel.db.listing import AgentQuery
from meshaccel.errors import RegistrationRejectedError, UnknownAgentError
from meshaccel.models import AgentSummary, Candidate, ToolSummary
from meshaccel.registry.changes import TOOLS, Change, agent_tag, capability_tag
from meshaccel.registry.resolution import (
    Availability,
    Resolver,
    Wiring,
    demand_of,
    missing_capabilities,
)

MAX_AGENTS = 100_000
MAX_CAPABILITIES = 100_000
"""Entries that are kept."""

MAX_WIRING = 64 * 1024 * 1024
"""Bytes of a wiring. An agent can ask a thousand times for a tool with large kwargs."""


class CurrentWiring(Struct, frozen=True):
    """What an agent is to be told, ready to be told."""

    wiring: Wiring
    body: bytes
    """The wiring as a JSON object."""
    digest: bytes
    """Of the body: agents told equal digests were told the same."""


class Fleet(Struct, frozen=True):
    """Offers that are complete for some agents: all they choose from, and what that requires."""

    offers: dict[str, Offers]
    everything: tuple[Candidate, ...]
    all_tools: bool

    def resolver(self) -> Resolver:
        """Wire agents from these offers."""
        return Resolver(self._healthy(), self.everything)

    def availability(self) -> Availability:
        """Judge the tools of agents from these offers."""
        unhealthy = {name: offers.unhealthy for name, offers in self.offers.items()}
        return Availability(self._healthy(), unhealthy)

    def tags(self) -> list[str]:
        """Return the tags of what is derived from these offers."""
        tags = [capability_tag(name) for name in self.offers]
        return [*tags, TOOLS] if self.all_tools else tags

    def _healthy(self) -> dict[str, tuple[Candidate, ...]]:
        return {name: offers.healthy for name, offers in self.offers.items()}


class Derived:
    """Records, offers and wirings, each read from the database at most once per change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._caches: list[TagCache[Any]] = []
        self._agents: TagCache[AgentSummary] = self.cache(MAX_AGENTS)
        self._offers: TagCache[Offers] = self.cache(MAX_CAPABILITIES)
        self._everything: TagCache[tuple[Candidate, ...]] = self.cache(1)
        self._wirings: TagCache[CurrentWiring] = self.cache(MAX_AGENTS)
        # One reader at a time: of a crowd that misses the same entry, the first one fills it.
        self._reading = asyncio.Lock()

    def cache(self, max_entries: int) -> TagCache[Any]:
        """Return a new cache whose entries the changes of the fleet drop by their tags."""
        cache: TagCache[Any] = TagCache(max_entries)
        self._caches.append(cache)
        return cache

    def invalidate(self, changes: Iterable[Change]) -> None:
        """Drop everything that committed changes touch."""
        changes = list(changes)
        tags = [tag for change in changes for tag in change.tags()]
        for cache in self._caches:
            cache.invalidate_by_tag(*tags)
        for change in changes:
            if change.agent is not None:
                summary = AgentSummary.of(change.agent)
                self._agents.set(change.agent_id, summary, [agent_tag(change.agent_id)])

    def clear(self) -> None:
        """Drop everything: after a commit whose outcome is unknown."""
        for cache in self._caches:
            cache.clear()

    def cached_wiring(self, agent_id: str) -> CurrentWiring | None:
        """Return an agent's wiring if it needs no reading."""
        return self._wirings.get(agent_id)

    async def agent(self, agent_id: str) -> AgentSummary:
        """Return an agent without its schemas.

        Raises:
            UnknownAgentError: it is not registered.
        """
        summary = self._agents.get(agent_id)
        if summary is not None:
            return summary
        query = AgentQuery(agent_id=agent_id)
        with self._agents.flight() as flight:
            found = await self._database.read(lambda conn: listing.summaries(conn, query))
            if not found:
                raise UnknownAgentError(f"agent {agent_id} is not registered")
            self._agents.set(agent_id, found[0], [agent_tag(agent_id)], since=flight)
        return found[0]

    async def wiring(self, agent_id: str) -> CurrentWiring:
        """Return what an agent is to be told now.

        Raises:
            UnknownAgentError: it is not registered.
            RegistrationRejectedError: the wiring is too large to be told.
        """
        cached = self._wirings.get(agent_id)
        if cached is not None:
            return cached
        with self._wirings.flight() as flight:
            tools = (await self.agent(agent_id)).tools
            fleet = await self.fleet([tools])
            wiring = fleet.resolver().resolve_agent(agent_id, tools)
            _refuse_huge(wiring)
            body = msgspec.json.encode(wiring)
            current = CurrentWiring(wiring, body, digest_bytes(body))
            tags = [agent_tag(agent_id), *fleet.tags()]
            self._wirings.set(agent_id, current, tags, since=flight)
        return current

    async def fleet(self, agents: Iterable[Iterable[ToolSummary]]) -> Fleet:
        """Read all that these agents' tools choose from and require, level by level."""
        tools = [tool for declared in agents for tool in declared]
        demand = demand_of(tools)
        offers: dict[str, Offers] = {}
        healthy: dict[str, tuple[Candidate, ...]] = {}
        names = demand.capabilities | missing_capabilities(tools, healthy)
        while names:
            level = await self._read_offers(names)
            offers |= level
            healthy |= {name: found.healthy for name, found in level.items()}
            added = [candidate.tool for found in level.values() for candidate in found.healthy]
            names = missing_capabilities(added, healthy)
        everything = await self._read_everything() if demand.everything else ()
        return Fleet(offers, everything, demand.everything)

    async def _read_offers(self, names: frozenset[str]) -> dict[str, Offers]:
        found, missing = self._cached_offers(names)
        if not missing:
            return found
        async with self._reading:
            found, missing = self._cached_offers(names)
            if missing:
                with self._offers.flight() as flight:
                    read = await self._database.read(lambda conn: candidates.offers(conn, missing))
                    for name, offers in read.items():
                        self._offers.set(name, offers, [capability_tag(name)], since=flight)
                found |= read
        return found

    def _cached_offers(self, names: Iterable[str]) -> tuple[dict[str, Offers], list[str]]:
        found: dict[str, Offers] = {}
        missing: list[str] = []
        for name in names:
            offers = self._offers.get(name)
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
                    everything = await self._database.read(candidates.every_offer)
                    self._everything.set(TOOLS, everything, [TOOLS], since=flight)
        return everything


def _refuse_huge(wiring: Wiring) -> None:
    """Measure a wiring before it is written out, where the same entry may stand many times."""
    entries: Iterable[object] = chain(
        chain.from_iterable(wiring.dependencies_resolved.values()),
        chain.from_iterable(wiring.llm_tools.values()),
        wiring.llm_providers.values(),
    )
    sizes: dict[int, int] = {}
    total = 0
    for entry in entries:
        size = sizes.get(id(entry))
        if size is None:
            size = sizes[id(entry)] = len(msgspec.json.encode(entry))
        total += size
        if total > MAX_WIRING:
            raise RegistrationRejectedError(
                f"the wiring is larger than {MAX_WIRING} bytes: depend on less"
            )
