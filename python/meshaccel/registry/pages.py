"""Pages of the listing, described and encoded once per change of the fleet."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import Struct, structs

from meshaccel.cache import TagCache
from meshaccel.db import listing
from meshaccel.db.database import Database
from meshaccel.db.listing import AgentQuery
from meshaccel.models import AgentSummary
from meshaccel.registry.changes import FLEET
from meshaccel.registry.derived import Derived
from meshaccel.registry.describing import AgentInfo, Lister, needs_fleet
from meshaccel.registry.resolution import Resolver, Wiring
from meshaccel.registry.sessions import Sessions

MAX_PAGES = 8
"""Different queries whose pages are kept."""

AGENTS_PER_TURN = 64
"""Agents described before other tasks get their turn."""

_UNTOLD = Wiring(dependencies_resolved={}, llm_tools={})


class Listed(Struct, frozen=True):
    """An agent on a page."""

    id: str
    head: bytes
    """The agent's ``AgentInfo`` as JSON, up to the brace that closes it."""

    @property
    def info(self) -> AgentInfo:
        """The agent's entry, read anew: pages are kept, and this is the smaller form."""
        return msgspec.json.decode(self.head + b"}", type=AgentInfo)


class Page(Struct, frozen=True):
    """Agents in order of id. If there are more, ``AgentQuery(after=page.next_after)`` goes on."""

    agents: tuple[Listed, ...]
    next_after: str | None


class Listings:
    """The listing, by query."""

    def __init__(self, database: Database, derived: Derived, sessions: Sessions) -> None:
        self._database = database
        self._derived = derived
        self._sessions = sessions
        self._pages: TagCache[Page] = derived.cache(MAX_PAGES)
        self._reading = asyncio.Lock()

    def invalidate(self) -> None:
        """Note that an agent was told something new."""
        self._pages.invalidate_by_tag(FLEET)

    async def page(self, query: AgentQuery) -> Page:
        """Return the agents that match. The number of statements does not depend on theirs."""
        key = msgspec.json.encode(query).decode()
        page = self._pages.get(key)
        if page is not None:
            return page
        async with self._reading:
            page = self._pages.get(key)
            if page is None:
                with self._pages.flight() as flight:
                    page = await self._read(query)
                    self._pages.set(key, page, [FLEET], since=flight)
        return page

    async def _read(self, query: AgentQuery) -> Page:
        # One more than asked for tells whether there is another page.
        beyond = None if query.limit is None else query.limit + 1
        asked = structs.replace(query, limit=beyond)
        found = await self._database.read(lambda conn: listing.summaries(conn, asked))
        more = query.limit is not None and len(found) > query.limit
        agents = found[: query.limit]
        next_after = agents[-1].agent.record.id if more and agents else None
        return Page(tuple(await self.describe(agents)), next_after)

    async def describe(self, agents: Sequence[AgentSummary]) -> list[Listed]:
        """Describe agents as of now, in at most a few statements whatever their number."""
        fleet = await self._derived.fleet(
            summary.tools
            for summary in agents
            if self._is_untold(summary) or needs_fleet(summary.tools)
        )
        lister, resolver = Lister(fleet, self._sessions), fleet.resolver()
        listed = []
        for number, summary in enumerate(agents, 1):
            info = lister.describe(summary.agent, summary.tools, self._told(summary, resolver))
            listed.append(Listed(info.id, msgspec.json.encode(info)[:-1]))
            if number % AGENTS_PER_TURN == 0:
                await asyncio.sleep(0)
        return listed

    def _is_untold(self, summary: AgentSummary) -> bool:
        session = self._sessions.get(summary.agent.record.id)
        return session is not None and session.told is None and session.told_digest is not None

    def _told(self, summary: AgentSummary, resolver: Resolver) -> Wiring:
        agent_id = summary.agent.record.id
        session = self._sessions.get(agent_id)
        if session is not None and session.told is not None:
            return session.told
        if self._is_untold(summary):
            # Another process told it: most likely what it would be told now.
            return resolver.resolve_agent(agent_id, summary.tools)
        return _UNTOLD
