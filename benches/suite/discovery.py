"""Part 4 of the brief: discovery that reads what changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from benches.discovery.fleet import Fleet, record
from benches.discovery.loopback import full_list_bytes
from benches.discovery.strategies import Cost, costs
from benches.naive.polling import FullPolling
from benches.suite.figure import Counted, Gain, Part
from tests.http.client import QUIET
from tests.service import running_service

from meshaccel import IncrementalServiceDiscovery

AGENTS = 500
CHURN = 0.01
"""Agents that change a minute."""
MINUTES = 15
POLLS, CHANGES = 20, 5


@dataclass(frozen=True)
class Costs:
    """What fifty consumers cost a registry, by way, in virtual time; and two over a real socket."""

    virtual: dict[str, Cost]
    real: dict[str, int]

    async def calls(self, way: str) -> int:
        """Return API calls of all consumers."""
        return self.virtual[way].calls

    async def bytes(self, way: str) -> int:
        """Return kilobytes for all consumers."""
        return self.virtual[way].sent // 1000

    async def received(self, way: str) -> int:
        """Return bytes of answers."""
        return self.real[way]


async def over_http(database: Path) -> dict[str, int]:
    """Let both keep up with a registry that changes between two polls now and then."""
    with running_service(database, settings=QUIET) as service:
        for number in range(AGENTS):
            await asyncio.to_thread(service.call, methodcaller("put_agent", record(number, 0)))
        async with AsyncExitStack() as stack:
            http = httpx.AsyncClient(base_url=service.url, trust_env=False)
            polling = FullPolling(await stack.enter_async_context(http))
            ours = IncrementalServiceDiscovery(service.url)
            await stack.enter_async_context(ours)
            await ours.refresh()  # both know everything at the start
            before = ours.stats().received_bytes
            for poll in range(POLLS):
                if poll < CHANGES:
                    changed = record(poll, poll + 1)
                    await asyncio.to_thread(service.call, methodcaller("put_agent", changed))
                await ours.refresh()
                await polling.discover_agents()
            assert ours.agents.keys() == polling.agents.keys()
            for agent_id, agent in polling.agents.items():
                assert ours.agents[agent_id].record["version"] == agent["version"]
            received = ours.stats().received_bytes - before
            assert received > 0, "nothing was counted"
            return {
                "ours": received,
                "full polling": polling.received_bytes,
            }


@asynccontextmanager
async def opened() -> AsyncIterator[Costs]:
    with TemporaryDirectory(prefix="discovery-") as folder:
        database = Path(folder) / "virtual.db"
        with Fleet(database, AGENTS) as fleet:
            full_list = await full_list_bytes(database)
            virtual = costs(fleet, full_list, CHURN, 60 * MINUTES)
        yield Costs(virtual, await over_http(Path(folder) / "real.db"))


POLLING = "full polling"
PART = Part(
    "discovery",
    opened,
    (
        Counted(
            name="discovery.calls",
            what="API calls of 50 consumers, 500 agents, 15 minutes: server-sent events",
            unit="calls",
            against=POLLING,
            gain=Gain.LESS,
            ours=lambda costs: costs.calls("SSE"),
            baseline=lambda costs: costs.calls(POLLING),
        ),
        Counted(
            name="discovery.heartbeat_calls",
            what="the same, with the heartbeat",
            unit="calls",
            against=POLLING,
            gain=Gain.LESS,
            ours=lambda costs: costs.calls("heartbeat"),
            baseline=lambda costs: costs.calls(POLLING),
        ),
        Counted(
            name="discovery.bytes",
            what="kilobytes of the same, server-sent events",
            unit="kB",
            against=POLLING,
            gain=Gain.LESS,
            ours=lambda costs: costs.bytes("SSE"),
            baseline=lambda costs: costs.bytes(POLLING),
        ),
        Counted(
            name="discovery.refresh",
            what="bytes of 20 refreshes over HTTP, 5 changes between them",
            unit="bytes",
            against=POLLING,
            gain=Gain.LESS,
            ours=lambda costs: costs.received("ours"),
            baseline=lambda costs: costs.received(POLLING),
        ),
    ),
)
