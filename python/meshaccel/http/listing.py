"""``GET /agents``: pages that are written in turns, sent in parts, and compressed if asked to."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from meshaccel.clock import Clock
from meshaccel.http import encodings, query, wire
from meshaccel.http.asgi import JSON, Answer, Header, Request, Response, Send
from meshaccel.http.encodings import Compressor
from meshaccel.registry.derived import ENTRIES_PER_TURN
from meshaccel.registry.pages import Page
from meshaccel.registry.service import AgentRegistry

MIN_COMPRESSED = 4096
"""Bytes of a page that is worth compressing."""

_VARY = (b"vary", b"accept-encoding")


class ListingPages:
    """The listing of a registry."""

    def __init__(self, registry: AgentRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    async def get_agents(self, request: Request) -> Answer:
        """Answer with a page, unless the client has it.

        The tag of a page is a weak one: it stands for all but the signs of life.
        """
        page = await self._registry.list_agents(query.agents(request.query()))
        headers = ((b"etag", page.tag), _VARY)
        if _knows(request.header(b"if-none-match"), page.tag):
            return Response(304, headers=headers)
        parts = await self._parts(page)
        coding = encodings.accepted(request.header(b"accept-encoding"))
        if coding is not None and sum(map(len, parts)) >= MIN_COMPRESSED:
            return CompressedParts(parts, coding, headers)
        return Parts(parts, headers) if len(parts) > 1 else Response(200, parts[0], headers=headers)

    async def _parts(self, page: Page) -> list[bytes]:
        now_us = self._clock.now_us()
        parts: list[bytes] = []
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
            parts.append(b"".join(pieces))
        return parts


class Parts(Struct, frozen=True):
    """A body in parts, of which the connection takes one after the other."""

    parts: Sequence[bytes]
    headers: Sequence[Header]
    status: int = 200

    async def send(self, send: Send) -> None:
        """Answer the request."""
        length = (b"content-length", b"%d" % sum(map(len, self.parts)))
        headers = [length, JSON, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            # The connection may take it all: others get their turn nevertheless.
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


class CompressedParts(Struct, frozen=True):
    """A body in parts, compressed in a thread while it is being sent."""

    parts: Sequence[bytes]
    coding: str
    headers: Sequence[Header]
    status: int = 200

    async def send(self, send: Send) -> None:
        """Answer the request."""
        coding = (b"content-encoding", self.coding.encode())
        headers = [coding, JSON, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        async for part in _compressed(self.parts, encodings.codecs()[self.coding]()):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _compressed(parts: Sequence[bytes], compressor: Compressor) -> AsyncIterator[bytes]:
    for part in parts:
        yield await asyncio.to_thread(compressor.compress, part)
    yield compressor.flush()


def _knows(if_none_match: str | None, tag: bytes) -> bool:
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag.decode() in map(str.strip, if_none_match.split(","))
