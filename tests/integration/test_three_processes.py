"""Three registry processes on one file, faults between them and their readers, and SIGKILL."""

import asyncio
import json
import os
import random
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import httpx
import pytest
from tests.integration.processes import is_upstream
from tests.integration.test_crash import check_file
from tests.integration.three_registries import (
    REGISTRIES,
    Agent,
    Network,
    Reader,
    Registries,
    network,
)

from meshaccel import IncrementalServiceDiscovery

SOAK_S = float(os.environ.get("MESHACCEL_SOAK_S", "4"))
"""How long agents change, readers suffer and registries die."""

AGENTS = 40
DRIVERS = 8
READERS = 50
PROXIES = 10
CRASH_EVERY_S = 2.0
UNWRITTEN_S = 5.0
"""What an agent was told by a registry that was killed so soon after it may be forgotten."""

pytestmark = [
    pytest.mark.skipif(is_upstream(), reason="about our own processes"),
    pytest.mark.timeout(120 + 2 * SOAK_S),
]


async def churn(agents: list[Agent], http: httpx.AsyncClient, end: float) -> None:
    loop = asyncio.get_running_loop()
    for agent in cycle(agents):
        if loop.time() > end:
            return
        await agent.act(http)


async def disturb(net: Network, rng: random.Random, end: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        net.disturb(rng)
        await asyncio.sleep(0.03)
    net.heal()


async def crash(registries: Registries, rng: random.Random, end: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        await asyncio.sleep(rng.random() * CRASH_EVERY_S)
        await registries.crash(rng.randrange(REGISTRIES))


async def check_readers(registries: Registries, readers: list[Reader]) -> None:
    """Without faults, one answer is all it takes."""
    stored = registries.stored()
    behind = [number for number, one in enumerate(readers) if not await one.equals(stored)]
    # Connections that were cut while they asked are made anew.
    behind = [number for number in behind if not await readers[number].equals(stored)]
    assert behind == []


async def check_agents(
    registries: Registries, agents: list[Agent], http: httpx.AsyncClient
) -> None:
    """Each registry knows what each agent declared last, and of all that it left."""
    for registry in registries.processes:
        answer = await http.get(f"{registry.url}/agents")
        listed = {one["id"]: one for one in answer.json()["agents"]}
        for agent in agents:
            if agent.body is None:
                assert agent.agent_id not in listed
                continue
            declared = json.loads(agent.body)["tools"]
            found = listed[agent.agent_id]
            versions = [tool["version"] for tool in found["capabilities"]]
            assert versions == [declared[0]["version"], "1.0.0"]
            assert found["status"] == ("healthy" if agent.healthy else "unhealthy")
            (wanted,) = declared[1]["dependencies"]
            (shown,) = found["dependency_resolutions"]
            assert shown["capability"] == wanted["capability"]


async def check_signals(
    registries: Registries, agents: list[Agent], http: httpx.AsyncClient
) -> None:
    """Who is told that nothing changed is told the same when it asks; and the other way round."""
    for agent in agents:
        if agent.body is None or not agent.healthy or agent.told is None:
            continue
        told = agent.told
        signals = {await agent.beat(http, by) for by in range(REGISTRIES)}
        assert signals in ({200}, {202}), (agent.agent_id, signals)
        same = await agent.register(http, agent.body) == told.wiring
        if not same:
            assert signals == {202}, agent.agent_id
        elif not 0 <= registries.killed_at[told.by] - told.at < UNWRITTEN_S:
            assert signals == {200}, agent.agent_id


async def soak(registries: Registries, rng: random.Random) -> None:
    async with AsyncExitStack() as open_:
        net = await open_.enter_async_context(network(registries, PROXIES))
        http = await open_.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
        urls = cycle(net.urls())
        readers = []
        for _ in range(READERS):
            discovery = IncrementalServiceDiscovery(next(urls))
            readers.append(Reader(await open_.enter_async_context(discovery)))
        agents = [Agent(number, registries, rng) for number in range(AGENTS)]
        end = asyncio.get_running_loop().time() + SOAK_S
        watching = [asyncio.create_task(reader.watch()) for reader in readers]
        await asyncio.gather(
            *(churn(agents[driver::DRIVERS], http, end) for driver in range(DRIVERS)),
            disturb(net, rng, end),
            crash(registries, rng, end),
        )
        net.heal()
        await check_agents(registries, agents, http)
        await check_readers(registries, readers)
        for watcher in watching:
            assert not watcher.done() or watcher.exception() is None
            watcher.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        # What agents were told is written once a second.
        await asyncio.sleep(1.2)
        await check_signals(registries, agents, http)
        assert net.faults > SOAK_S
        assert sum(agent.acknowledged for agent in agents) > AGENTS


def test_nothing_acknowledged_is_lost_and_nobody_is_left_behind(tmp_path: Path) -> None:
    """Lost updates 0, diverged readers 0, wrong signals 0."""
    registries = Registries(tmp_path)

    async def run() -> None:
        await registries.start()
        await soak(registries, random.Random())  # noqa: S311  a test's

    try:
        asyncio.run(run())
    finally:
        registries.kill()
    check_file(registries.database)
