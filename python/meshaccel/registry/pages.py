"""Pages of the listing. Agents are described once, until something that shows has changed."""

import asyncio
from collections.abc import Sequence
from itertools import count
from secrets import token_hex

import msgspec
from msgspec import Struct, structs

from meshaccel.cache import Flight, TagCache
from meshaccel.db.listing import AgentQuery
from meshaccel.metadata import MetadataPool
from meshaccel.registry.agent_info import AgentInfo
from meshaccel.registry.changes import FLEET, told_tag
from meshaccel.registry.derived import AGENTS_PER_TURN, ENTRIES_PER_TURN, MAX_AGENTS, Derived
from meshaccel.registry.describing import Description, Lister, needs_fleet
from meshaccel.registry.records import Kept, Record
from meshaccel.registry.resolution import Wiring
from meshaccel.registry.sessions import Sessions

MAX_PAGES = 8
"""Different queries whose pages are kept."""

MAX_WRITTEN = 32 * 1024 * 1024
"""Bytes of JSON kept of all pages; a page of more is written from the pool each time. As much
again may be kept of the page that was written last."""


class Listed(Kept):
    """An agent on a page, as ``AgentInfo`` has it. All pages that show it share this."""

    __slots__ = ("id", "revision")

    def __init__(self, pool: MetadataPool, info: AgentInfo, revision: int) -> None:
        """``revision`` is that of the record that it shows."""
        super().__init__(pool, msgspec.to_builtins(info))
        self.id = info.id
        self.revision = revision

    @property
    def head(self) -> bytes:
        """The entry as JSON, up to the brace that closes it; written anew each time."""
        return self.view.to_json()[:-1]

    @property
    def info(self) -> AgentInfo:
        """The entry, read anew each time."""
        return msgspec.json.decode(self.view.to_json(), type=AgentInfo)


class Page(Struct, frozen=True):
    """Agents in order of id. If there are more, ``AgentQuery(after=page.next_after)`` goes on."""

    agents: tuple[Listed, ...]
    next_after: str | None
    written: tuple[bytes, ...] | None = None
    """The heads of all of them, of a page that is not too large."""
    tag: bytes = b""
    """An entity tag: no other page has it that was ever read, of whatever registry."""

    def heads(self, start: int, stop: int) -> Sequence[bytes]:
        """Return the JSON of some agents, each up to the brace that closes it."""
        if self.written is not None:
            return self.written[start:stop]
        return [listed.head for listed in self.agents[start:stop]]


class Listings:
    """The listing, by query."""

    def __init__(self, derived: Derived, sessions: Sessions) -> None:
        self._derived = derived
        self._sessions = sessions
        self._listed: TagCache[Listed] = derived.cache("listed", MAX_AGENTS)
        self._pages: TagCache[Page] = derived.cache("list", MAX_PAGES, max_bytes=MAX_WRITTEN)
        self._last = Page((), None, ())
        self._numbers = count()
        self._origin = token_hex(8)
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
                    size = sum(map(len, page.written or ()))
                    self._pages.set(key, page, tags=[FLEET], since=flight, size=size)
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
            tag = f'W/"{self._origin}-{next(self._numbers)}"'.encode()
            page = Page(tuple(await self._describe(records, flight)), next_after, tag=tag)
        self._last = structs.replace(page, written=await self._written(page))
        return self._last

    async def _written(self, page: Page) -> tuple[bytes, ...] | None:
        """Write what all requests for a page share; None if it is too much to be kept."""
        # After a change, nearly all agents are those of the page before.
        known = dict(zip(self._last.agents, self._last.written or (), strict=False))
        written: list[bytes] = []
        size = 0
        for start in range(0, len(page.agents), ENTRIES_PER_TURN):
            if start:
                await asyncio.sleep(0)
            some = page.agents[start : start + ENTRIES_PER_TURN]
            heads = [known.get(listed) or listed.head for listed in some]
            size += sum(map(len, heads))
            if size > MAX_WRITTEN:
                return None
            written += heads
        return tuple(written)

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
            told: list[Wiring | None] = []
            for number, record in enumerate(unknown, 1):
                told.append(self._sessions.told(record.id))
                if needs_fleet(record, told[-1]):
                    needing.append(record.tools)
                if number % AGENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
            lister = Lister(await self._derived.fleet(needing), self._sessions)
            for number, (record, then) in enumerate(zip(unknown, told, strict=True), 1):
                listed[record.id] = self._described(lister.describe(record, then), record, flight)
                if number % AGENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
        return [listed[record.id] for record in records]

    def _described(self, description: Description, record: Record, flight: Flight) -> Listed:
        listed = Listed(self._derived.records.pool, description.info, record.revision)
        self._listed.set(f"listed:{record.id}", listed, tags=description.tags, since=flight)
        return listed
