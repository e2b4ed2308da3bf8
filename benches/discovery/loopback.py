"""A real registry over HTTP: how soon clients know, and what a warm start is."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from operator import methodcaller
from pathlib import Path

import httpx
from benches.discovery.fleet import record
from msgspec import Struct
from tests.service import Service, running_service

from meshaccel import AgentRegistry, IncrementalServiceDiscovery, RegistrySettings
from meshaccel.http.app import App

CHANGES_PER_S = 20
QUIET = RegistrySettings(flush_interval_s=3600, check_interval_s=3600, sweep_interval_s=3600)


class Push(Struct, frozen=True):
    """From a change to each client's memory, in seconds."""

    told: int
    due: int
    p50_s: float
    p99_s: float


async def full_list_bytes(database: Path) -> int:
    """Return the bytes of ``GET /agents``."""
    async with await AgentRegistry.open(str(database), settings=QUIET) as registry:
        transport = httpx.ASGITransport(App(registry))
        async with httpx.AsyncClient(transport=transport, base_url="http://r") as client:
            response = await client.get("/agents")
            return len(response.raise_for_status().content)


@contextmanager
def _filled(database: Path, size: int) -> Iterator[Service]:
    async def fill(registry: AgentRegistry) -> None:
        for number in range(size):
            await registry.put_agent(record(number, 0))

    with running_service(database, settings=QUIET) as service:
        service.call(fill)
        yield service


def push(database: Path, *, size: int, clients: int, changes: int) -> Push:
    """Let clients watch in this process, which also serves: they compete for one interpreter."""
    with _filled(database, size) as service:
        return asyncio.run(_push(service, clients, changes))


async def _push(service: Service, clients: int, changes: int) -> Push:
    changed_at: dict[str, float] = {}
    staleness: list[float] = []

    async def watch(discovery: IncrementalServiceDiscovery) -> None:
        seen = 0
        async for change in discovery.watch():
            version = str(change.agent.record["version"])
            if version in changed_at:
                staleness.append(time.perf_counter() - changed_at[version])
                seen += 1
                if seen == changes:
                    return

    async with AsyncExitStack() as stack:
        watching = []
        for _ in range(clients):
            discovery = await stack.enter_async_context(IncrementalServiceDiscovery(service.url))
            await discovery.refresh()
            watching.append(asyncio.create_task(watch(discovery)))
        while service.registry.feed.readers < clients:  # noqa: ASYNC110 - a number is no event
            await asyncio.sleep(0.01)
        for number in range(changes):
            changed = record(number, number + 1)
            changed_at[changed.version or ""] = time.perf_counter()
            await asyncio.to_thread(service.call, methodcaller("put_agent", changed))
            await asyncio.sleep(1 / CHANGES_PER_S)
        await asyncio.wait(watching, timeout=10)
    staleness.sort()
    count = len(staleness)
    return Push(count, clients * changes, staleness[count // 2], staleness[count * 99 // 100])


class Warm(Struct, frozen=True):
    """A start of a client whose state is on disk, while nothing changed."""

    calls: int
    received: int


def warm_start(database: Path, state: Path, size: int) -> Warm:
    """Start a client twice."""

    async def start(url: str) -> Warm:
        async with IncrementalServiceDiscovery(url, state=state) as discovery:
            await discovery.refresh()
            assert len(discovery.agents) == size
            stats = discovery.stats()
            return Warm(stats.calls, stats.received_bytes)

    with _filled(database, size) as service:
        asyncio.run(start(service.url))
        return asyncio.run(start(service.url))
