"""The history of two real catalogues, told to twenty clients as it happened."""

import asyncio
import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from tests.http.client import QUIET, VirtualClock

from meshaccel import AgentRecord, AgentRegistry, IncrementalServiceDiscovery, MetadataPool
from meshaccel.http.wire import CatalogueRecord

DATA = Path(__file__).parents[3] / "shared" / "data"

CLIENTS = 20
TOGETHER = 40
"""Events of different agents that happen at once."""

SELECTORS = ("", "", "status=healthy", "label.category=database", "label.runtime=node")


class Happened(Struct):
    """An event of a catalogue."""

    op: str
    agent_id: str
    doc: CatalogueRecord | None = None


def history(name: str) -> Iterator[list[Happened]]:
    """Yield the events in their order, in groups that have each agent once."""
    file = DATA / name
    if not file.exists():
        pytest.skip(f"needs the catalogue {file}")
    group: dict[str, Happened] = {}
    with gzip.open(file) as lines:
        for line in lines:
            event = msgspec.json.decode(line, type=Happened)
            if event.agent_id in group or len(group) == TOGETHER:
                yield list(group.values())
                group = {}
            group[event.agent_id] = event
    yield list(group.values())


class Replay:
    """A registry that lives through a history, and counts what ought to make a revision."""

    def __init__(self, registry: AgentRegistry, clock: VirtualClock) -> None:
        self._registry = registry
        self._clock = clock
        self.records: dict[str, AgentRecord] = {}
        self.revisions = 0

    async def happen(self, event: Happened) -> None:
        """Do what an event says."""
        known = self.records.get(event.agent_id)
        if event.op == "remove":
            await self._registry.unregister(event.agent_id)
            self.records.pop(event.agent_id)
            self.revisions += 2  # it is unhealthy first, and then removed
        elif event.doc is not None:
            record = event.doc.record()
            await self._registry.put_agent(record)
            self.records[event.agent_id] = record
            self.revisions += record != known
        elif known is not None:
            # The same again, or a check: no news.
            await self._registry.put_agent(known)
            await self._registry.heartbeat(event.agent_id)

    async def sweep(self) -> None:
        """Remove who has left."""
        self._clock.seconds += 2 * QUIET.retention_s
        await self._registry._liveness.sweep()


class Client:
    """A client that is restarted now and then."""

    def __init__(self, number: int, registry: AgentRegistry, folder: Path) -> None:
        self.selector = SELECTORS[number % len(SELECTORS)]
        self._registry = registry
        self._state = folder / f"client-{number}"
        self._pool = MetadataPool()
        self.discovery = self._started()

    async def restart(self) -> None:
        """Stop, and start again from what is on disk."""
        await self.discovery.close()
        self.discovery = self._started()

    def held(self) -> dict[str, object]:
        """Return the documents that are held."""
        return {agent.id: agent.record.to_dict() for agent in self.discovery.agents.values()}

    def _started(self) -> IncrementalServiceDiscovery:
        return IncrementalServiceDiscovery(
            self._registry,
            selector=self.selector,
            state=self._state,
            pool=self._pool,
            save_interval_s=3600,
        )


def wanted(records: dict[str, AgentRecord], selector: str) -> dict[str, object]:
    """Return what a client with this selector should hold."""
    name, _, value = selector.partition("=")
    return {
        agent_id: msgspec.json.decode(msgspec.json.encode(record)) | {"endpoint": record.endpoint}
        for agent_id, record in records.items()
        if not name.startswith("label.") or record.labels.get(name.removeprefix("label.")) == value
    }


@pytest.mark.parametrize("name", ["catalog_changes.jsonl.gz", "catalog_changes_toolsdk.jsonl.gz"])
def test_every_client_ends_up_with_the_catalogue(name: str, tmp_path: Path) -> None:
    """And events that change nothing make no revision."""
    rng = random.Random(7)  # noqa: S311  a test's

    async def main() -> None:
        clock = VirtualClock()
        async with await AgentRegistry.open(":memory:", settings=QUIET, clock=clock) as registry:
            replay = Replay(registry, clock)
            clients = [Client(number, registry, tmp_path) for number in range(CLIENTS)]
            for group in history(name):
                await asyncio.gather(*map(replay.happen, group))
                if any(event.op == "remove" for event in group):
                    await replay.sweep()
                client = rng.choice(clients)
                await client.discovery.refresh()
                if rng.random() < 0.1:
                    await client.restart()
            assert await registry.revision() == replay.revisions
            for client in clients:
                await client.discovery.refresh()
                assert client.held() == wanted(replay.records, client.selector)
                # Sweeps are hours apart: some clients were away for longer than a day.
                assert set(client.discovery.stats().resyncs) <= {"compacted"}
                await client.discovery.close()

    asyncio.run(main())
