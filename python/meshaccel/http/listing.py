"""``GET /agents``: pages that are written in turns, sent in parts, and compressed if asked to."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from meshaccel.clock import Clock
from meshaccel.http import encodings, query, wire
from meshaccel.http.asgi import JSON, Answer, Header, Request, Response, Room, Send
from meshaccel.http.encodings import Compressor
from meshaccel.registry.derived import ENTRIES_PER_TURN
from meshaccel.registry.pages import Page
from meshaccel.registry.service import AgentRegistry

MIN_COMPRESSED = 4096
"""Bytes of a page that is worth compressing."""

MAX_UNSENT = 1024 * 1024 * 1024
"""Bytes of pages that are being written or sent, over all requests."""

_VARY = (b"vary", b"accept-encoding")


class ListingPages:
    """The listing of a registry."""

    def __init__(self, registry: AgentRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        # What a connection has not taken over yet is in no other account of what is not read.
        self._room = Room(MAX_UNSENT)

    async def get_agents(self, request: Request) -> Answer:
        """Answer with a page, unless the client has it.

        The tag of a page is a weak one: it stands for all but the signs of life.

        Raises:
            NoRoomError: too much of other pages is being sent.
        """
        page = await self._registry.list_agents(query.agents(request.query()))
        headers = ((b"etag", page.tag), _VARY)
        if _knows(request.header(b"if-none-match"), page.tag):
            return Response(304, headers=headers)
        parts = await self._parts(page)
        coding = encodings.accepted(request.header(b"accept-encoding"))
        if coding is not None and sum(map(len, parts)) >= MIN_COMPRESSED:
            return CompressedParts(parts, coding, headers, self._room)
        if len(parts) > 1:
            return Parts(parts, headers, self._room)
        self._room.give(len(parts[0]))  # The connection takes it over at once.
        return Response(200, parts[0], headers=headers)

    async def _parts(self, page: Page) -> list[bytes]:
        """Write a page, and take the room that its parts need until they are sent."""
        parts: list[bytes] = []
        try:
            async for part in self._written(page):
                self._room.take(len(part))
                parts.append(part)
        except BaseException:
            self._room.give(sum(map(len, parts)))
            raise
        return parts

    async def _written(self, page: Page) -> AsyncIterator[bytes]:
        now_us = self._clock.now_us()
        last = max(0, len(page.agents) - 1) // ENTRIES_PER_TURN * ENTRIES_PER_TURN
        for start in range(0, last + 1, ENTRIES_PER_TURN):
            if start:
                await asyncio.sleep(0)
            stop = start + ENTRIES_PER_TURN
            ids = [listed.id for listed in page.agents[start:stop]]
            # An agent may be removed between a look at the database and this one.
            last_seen = self._registry.all_last_seen_us(ids, unknown=now_us)
            pieces = wire.entries(page.heads(start, stop), last_seen)
            if start == 0:
                pieces.insert(0, wire.PAGE_BEGINS)
            if start == last:
                pieces[len(pieces) - bool(page.agents) :] = [wire.page_ends(page, now_us=now_us)]
            yield b"".join(pieces)


class Parts(Struct, frozen=True):
    """A body in parts, of which the connection takes one after the other."""

    parts: Sequence[bytes]
    headers: Sequence[Header]
    room: Room
    """Where the parts have some, until they are sent."""
    status: int = 200

    async def send(self, send: Send) -> None:
        """Answer the request."""
        size = sum(map(len, self.parts))
        headers = [(b"content-length", b"%d" % size), JSON, *self.headers]
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            for part in self.parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
                # The connection may take it all: others get their turn nevertheless.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.room.give(size)


class CompressedParts(Struct, frozen=True):
    """A body in parts, compressed in a thread while it is being sent."""

    parts: Sequence[bytes]
    coding: str
    headers: Sequence[Header]
    room: Room
    status: int = 200

    async def send(self, send: Send) -> None:
        """Answer the request."""
        coding = (b"content-encoding", self.coding.encode())
        headers = [coding, JSON, *self.headers]
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            async for part in _compressed(self.parts, encodings.codecs()[self.coding]()):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.room.give(sum(map(len, self.parts)))


async def _compressed(parts: Sequence[bytes], compressor: Compressor) -> AsyncIterator[bytes]:
    for part in parts:
        yield await asyncio.to_thread(compressor.compress, part)
    yield compressor.flush()


def _knows(if_none_match: str | None, tag: bytes) -> bool:
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag.decode() in map(str.strip, if_none_match.split(","))
