"""Clients that follow the registry's changes, over connections that are cut."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
from tests.soak.reference import Stored, Truth, copied

from meshaccel import IncrementalServiceDiscovery
from meshaccel.errors import MeshAccelError

SELECTORS = ("", "status=healthy", "namespace=ns-1", "capability=cap-3,status=healthy")
PATIENCE_S = 20.0
"""Who was cut off comes back, and is told, within this time."""
Known = dict[str, tuple[str, str]]
"""Status and endpoint, by agent id."""


def due(truth: Truth, selector: str) -> Known:
    """What a reader with a selector has to know."""

    def fits(agent: Stored) -> bool:
        facts = {"status": {agent.status}, "namespace": {agent.namespace}}
        facts["capability"] = {tool.capability or "" for tool in agent.tools}
        asked = [term.split("=") for term in selector.split(",") if term]
        return all(value in facts[name] for name, value in asked)

    return {
        agent.id: (agent.status, agent.endpoint) for agent in truth.agents.values() if fits(agent)
    }


class Watcher:
    """A discovery client whose changes somebody watches."""

    def __init__(self, url: str, selector: str) -> None:
        self.selector = selector
        self.changes = 0
        self._discovery = IncrementalServiceDiscovery(url, selector=selector)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with self._discovery:
            while True:
                with suppress(MeshAccelError):
                    async for _ in self._discovery.watch():
                        self.changes += 1
                await asyncio.sleep(0.1)

    async def known(self) -> Known:
        """What it knows after it has asked."""
        for _ in range(100):
            with suppress(MeshAccelError):
                await self._discovery.refresh()
                break
            await asyncio.sleep(0.1)
        return {one.id: (one.status, one.endpoint) for one in self._discovery.agents.values()}


class Stream:
    """Reads the stream of events itself, and begins anew where it was cut off."""

    def __init__(self, url: str, selector: str) -> None:
        self.selector = selector
        self.changes = 0
        self._url = url
        self._known: Known = {}
        self._last = ""

    async def run(self) -> None:
        """Read until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=90) as client:
            while True:
                with suppress(httpx.HTTPError):
                    await self._read(client)
                await asyncio.sleep(0.1)

    async def known(self) -> Known:
        """What it was told of so far."""
        return self._known

    async def _read(self, client: httpx.AsyncClient) -> None:
        headers = {"accept": "text/event-stream"}
        if self._last:
            headers["last-event-id"] = self._last
        query = {"selector": self.selector} if self.selector else {}
        url = f"{self._url}/changes"
        async with client.stream("GET", url, headers=headers, params=query) as response:
            if response.status_code == 410:
                self._last = ""
                return
            fields: dict[str, str] = {}
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif fields:
                    self._take(fields)
                    fields = {}

    def _take(self, fields: dict[str, str]) -> None:
        told = json.loads(fields["data"])
        if fields["event"] != "changes":  # its history is not that of the registry any more
            self._last = ""
            return
        if told["since"] == 0:
            self._known = {}
        for item in told.get("items", ()):
            self.changes += 1
            if item["op"] == "upsert":
                self._known[item["id"]] = (item["status"], item["agent"]["endpoint"])
            else:
                self._known.pop(item["id"], None)
        self._last = fields.get("id", self._last)


Reader = Watcher | Stream


@asynccontextmanager
async def following(url: str, count: int) -> AsyncIterator[list[Reader]]:
    """Run readers of both kinds, with each selector in turn."""
    made: list[Reader] = []
    async with AsyncExitStack() as running:
        for number in range(count):
            kind = (Watcher, Stream)[number % 2]
            made.append(kind(url, SELECTORS[number // 2 % len(SELECTORS)]))
        tasks = [asyncio.create_task(reader.run()) for reader in made]
        running.push_async_callback(_ended, tasks)
        yield made


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def behind(readers: list[Reader], database: Path) -> list[str]:
    """Which readers do not come to know what they have to."""
    patient_until = time.monotonic() + PATIENCE_S
    while True:
        truth = copied(database)  # anew each time: agents may be taken for dead meanwhile
        told = [each for reader in readers if (each := await _missing(reader, truth))]
        if not told or time.monotonic() > patient_until:
            return told
        await asyncio.sleep(0.5)


async def _missing(reader: Reader, truth: Truth) -> str | None:
    differing = {
        one for one, _ in (await reader.known()).items() ^ due(truth, reader.selector).items()
    }
    if not differing:
        return None
    return f"{type(reader).__name__} {reader.selector!r}: {sorted(differing)[:5]}"
