"""Pages of the listing. Agents are described once, until something that shows has changed."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import Struct, structs

from meshaccel.cache import Flight, TagCache
from meshaccel.db.listing import AgentQuery
from meshaccel.registry.agent_info import AgentInfo
from meshaccel.registry.changes import FLEET, told_tag
from meshaccel.registry.derived import AGENTS_PER_TURN, ENTRIES_PER_TURN, MAX_AGENTS, Derived
from meshaccel.registry.describing import Lister, needs_fleet
from meshaccel.registry.records import Record
from meshaccel.registry.sessions import Sessions

MAX_PAGES = 8
"""Different queries whose pages are kept."""


class Listed(Struct, frozen=True, gc=False):
    """An agent on a page. All pages that show it share this."""

    id: str
    revision: int
    """Of the record that it shows."""
    head: bytes
    """The agent's ``AgentInfo`` as JSON, up to the brace that closes it."""

    @property
    def info(self) -> AgentInfo:
        """The agent's entry, read anew: this is the smaller form."""
        return msgspec.json.decode(self.head + b"}", type=AgentInfo)


class Page(Struct, frozen=True):
    """Agents in order of id. If there are more, ``AgentQuery(after=page.next_after)`` goes on."""

    agents: tuple[Listed, ...]
    next_after: str | None


class Listings:
    """The listing, by query."""

    def __init__(self, derived: Derived, sessions: Sessions) -> None:
        self._derived = derived
        self._sessions = sessions
        self._listed: TagCache[Listed] = derived.cache("listed", MAX_AGENTS)
        self._pages: TagCache[Page] = derived.cache("list", MAX_PAGES)
        self._reading = asyncio.Lock()

    def note_told(self, agent_id: str) -> None:
        """Note that an agent was told something new."""
        self._listed.invalidate_by_tag(told_tag(agent_id))
        self._pages.invalidate_by_tag(FLEET)

    async def page(self, query: AgentQuery) -> Page:
        """Return the agents that match. The number of statements does not depend on theirs."""
        key = f"list:{msgspec.json.encode(query).decode()}"
        page = self._pages.get(key)
        if page is not None:
            return page
        async with self._reading:
            page = self._pages.get(key)
            if page is None:
                with self._pages.flight() as flight:
                    page = await self._read(query)
                    self._pages.set(key, page, tags=[FLEET], since=flight)
        return page

    async def describe(self, record: Record) -> Listed:
        """Return the entry of one agent."""
        with self._listed.flight() as flight:
            return (await self._describe([record], flight))[0]

    async def _read(self, query: AgentQuery) -> Page:
        # One more than asked for tells whether there is another page.
        beyond = None if query.limit is None else query.limit + 1
        with self._listed.flight() as flight:
            found = await self._derived.agents(structs.replace(query, limit=beyond))
            more = query.limit is not None and len(found) > query.limit
            records = found[: query.limit]
            next_after = records[-1].id if more and records else None
            return Page(tuple(await self._describe(records, flight)), next_after)

    async def _describe(self, records: Sequence[Record], flight: Flight) -> list[Listed]:
        """Describe agents as of now, in at most a few statements whatever their number."""
        listed: dict[str, Listed] = {}
        for number, record in enumerate(records, 1):
            known = self._listed.get(f"listed:{record.id}")
            if known is not None and known.revision == record.revision:
                listed[record.id] = known
            if number % ENTRIES_PER_TURN == 0:
                await asyncio.sleep(0)
        unknown = [record for record in records if record.id not in listed]
        if unknown:
            needing = []
            for number, record in enumerate(unknown, 1):
                if needs_fleet(record, self._sessions):
                    needing.append(record.tools)
                if number % AGENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
            lister = Lister(await self._derived.fleet(needing), self._sessions)
            for number, record in enumerate(unknown, 1):
                listed[record.id] = self._described(record, lister, flight)
                if number % AGENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
        return [listed[record.id] for record in records]

    def _described(self, record: Record, lister: Lister, flight: Flight) -> Listed:
        description = lister.describe(record)
        head = msgspec.json.encode(description.info)[:-1]
        listed = Listed(record.id, record.revision, head)
        self._listed.set(f"listed:{record.id}", listed, tags=description.tags, since=flight)
        return listed
