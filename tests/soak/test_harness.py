"""The soak in small: it finds nothing in a registry that is right, and what is wrong in others."""

import asyncio
import os
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec import structs
from tests.integration.processes import Registry
from tests.soak import readers
from tests.soak.check import Check
from tests.soak.gauges import MB, growths, sample
from tests.soak.load import Load, Pace
from tests.soak.readers import behind, following
from tests.soak.reference import copied
from tests.soak.run import Plan, soak, started

SMALL = Plan(
    seconds=5,
    pace=Pace(agents=200, beat_s=1, churn_per_min=1, connections=8),
    readers=4,
    fault_every_s=0.5,
    kills=1,
    check_every_s=3,
    sample_every_s=0.5,
)


def test_a_registry_that_is_right() -> None:
    report = soak(SMALL)
    # Whether it grows takes longer to say.
    assert (report.lost, report.stale, report.unneeded) == ([], [], [])
    assert report.checks >= 2
    assert report.counts["POST 200"] > SMALL.pace.agents
    assert {"kill", "cut", "lock"} <= set(report.faults)
    assert report.samples


@asynccontextmanager
async def settled(registry: Registry) -> AsyncIterator[tuple[Load, Check]]:
    """A fleet at rest that was checked, and nothing was found."""
    load = Load([registry.port], structs.replace(SMALL.pace, churn_per_min=0.001), seed=1)
    check = Check(load, registry.port, Path(registry.env["DATABASE_URL"]))
    async with load.running():
        while not all(agent.acknowledged == 0 for agent in load.agents.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        async with load.paused():
            for _ in range(2):  # then everybody has been told of everybody
                findings = await check.run()
            assert findings.count == 0, findings
            yield load, check


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return started(SMALL, tmp_path)


def test_registries_that_are_wrong(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is changed behind the registry's back, so that its answers are wrong."""
    monkeypatch.setattr(readers, "PATIENCE_S", 0.2)
    path = Path(registry.env["DATABASE_URL"])

    def change(statement: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as conn:
            conn.execute("PRAGMA foreign_keys = ON")
            conn.execute(statement)

    async def run() -> None:
        async with settled(registry) as (load, check), following(registry.url, 2) as followers:
            assert await behind(followers, path) == []

            ((provider, *_),) = copied(path).wiring("agent-0").dependencies_resolved.values()
            assert provider is not None
            used = provider.agent_id
            change(f"UPDATE agents SET endpoint = 'http://elsewhere:1' WHERE id = '{used}'")
            stale = await check.run()
            assert stale.lost == []
            assert any("GET /agents:" in each and "elsewhere" in each for each in stale.stale)
            assert any(each.startswith("POST") and "elsewhere" in each for each in stale.stale)
            assert len(await behind(followers, path)) == 2

            agent = load.agents["agent-7"]
            assert agent.told is not None
            agent.told = structs.replace(agent.told, dependencies_resolved={})
            missed = await check.run()
            assert "HEAD agent-7: 200 instead of 202" in missed.stale

            change("UPDATE leases SET wiring_digest = NULL")
            change("DELETE FROM agents WHERE id = 'agent-9'")
            change("UPDATE agents SET version = '0' WHERE id = 'agent-11'")
            lost = await check.run()
            assert [each.partition(":")[0] for each in lost.lost] == ["agent-9", "agent-11"]

    try:
        asyncio.run(run())
    finally:
        registry.kill()


def test_a_process_that_grows() -> None:
    """This one: it is given more memory and more sockets with each sample."""
    kept: list[bytes | socket.socket] = []
    calm = [sample(os.getpid(), number) for number in range(6)]
    growing = []
    for number in range(6):
        growing.append(sample(os.getpid(), number))
        kept.append(b"x" * (32 * MB))
        kept += [socket.socket() for _ in range(20)]
    assert growths(calm) == []
    assert [told.partition(" ")[0] for told in growths(growing)] == ["uss", "rss", "descriptors"]
    for each in kept:
        if isinstance(each, socket.socket):
            each.close()
