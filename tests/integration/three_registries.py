"""Three registry processes on one file, and the agents and readers of the test of them."""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.integration.processes import Registry

from meshaccel import IncrementalServiceDiscovery, RegistryUnavailableError

REGISTRIES = 3
KINDS = 12
"""Capabilities, each of which is offered by several agents and needed by others."""


class Registries:
    """Three processes that are killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.database = directory / "shared.db"
        self.processes = []
        for number in range(REGISTRIES):
            own = directory / f"r{number}"
            own.mkdir()
            env = {"DATABASE_URL": str(self.database), "DEFAULT_TIMEOUT_THRESHOLD": "300"}
            self.processes.append(Registry(own, env=env))
        self.killed_at = [0.0] * REGISTRIES

    async def start(self) -> None:
        """Start them at once: one of them makes the file."""
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in self.processes))

    async def crash(self, number: int) -> None:
        """Kill one, and start it again."""
        self.processes[number].kill()
        self.killed_at[number] = time.monotonic()
        await asyncio.to_thread(self.processes[number].start)

    def kill(self) -> None:
        """End them all."""
        for each in self.processes:
            each.kill()

    def stored(self) -> dict[str, tuple[int, str]]:
        """Return revision and status of all agents, from the file."""
        with closing(sqlite3.connect(self.database)) as conn:
            rows = conn.execute("SELECT id, revision, status FROM agents")
            return {agent: (revision, status) for agent, revision, status in rows}


class Told(Struct):
    """What an agent was told last, by whom and when."""

    wiring: Any
    by: int
    at: float


class Agent:
    """An agent that declares one thing after the other, each time to any registry."""

    def __init__(self, number: int, registries: Registries, rng: random.Random) -> None:
        self.agent_id = f"a{number}"
        self._number = number
        self._registries = registries
        self._rng = rng
        self.body: bytes | None = None
        """What was acknowledged last."""
        self.healthy = False
        self.told: Told | None = None
        self.acknowledged = 0

    async def act(self, http: httpx.AsyncClient) -> None:
        """Register as something, most often as something known already; or leave, or beat."""
        chance = self._rng.random()
        if chance < 0.1 and self.body is not None:
            await self._sent(http, "DELETE", f"/agents/{self.agent_id}")
            self.healthy = False
        elif chance < 0.3 and self.body is not None:
            _, answer = await self._sent(http, "HEAD", f"/heartbeat/{self.agent_id}")
            assert (answer.status_code == 410) == (not self.healthy), answer
        else:
            await self.register(http, self._declared(self._rng.randrange(4)))

    async def register(self, http: httpx.AsyncClient, body: bytes) -> Any:
        """Register until that is acknowledged; return the wiring."""
        by, answer = await self._sent(http, "POST", "/heartbeat", body)
        wiring = answer.json()
        assert wiring["status"] == "success", wiring
        self.body, self.healthy = body, True
        self.told = Told(wiring["dependencies_resolved"], by, time.monotonic())
        self.acknowledged += 1
        return self.told.wiring

    async def beat(self, http: httpx.AsyncClient, by: int) -> int:
        """Return the signal of one of the registries."""
        url = f"{self._registries.processes[by].url}/heartbeat/{self.agent_id}"
        return (await http.head(url)).status_code

    def _declared(self, version: int) -> bytes:
        mine, other = self._number % KINDS, (self._number + version) % KINDS
        tools = [
            {"function_name": "f", "capability": f"c{mine}", "version": f"{version}.0.0"},
            {
                "function_name": "g",
                "capability": f"own-{self._number}",
                "dependencies": [{"capability": f"c{other}"}],
            },
        ]
        body = {"agent_id": self.agent_id, "http_host": "h", "http_port": 80, "tools": tools}
        return json.dumps(body).encode()

    async def _sent(
        self, http: httpx.AsyncClient, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, httpx.Response]:
        """Ask any registry, and the next one if that has just been killed."""
        while True:
            by = self._rng.randrange(REGISTRIES)
            with suppress(httpx.TransportError):
                url = f"{self._registries.processes[by].url}{path}"
                answer = await http.request(method, url, content=body)
                if answer.status_code != 503:
                    return by, answer
            await asyncio.sleep(0.02)


class Reader:
    """A client of the feed behind a network that fails, and that changes where it leads to."""

    def __init__(self, discovery: IncrementalServiceDiscovery) -> None:
        self._discovery = discovery

    async def watch(self) -> None:
        """Follow, until cancelled."""
        async for _ in self._discovery.watch():
            pass

    async def equals(self, stored: dict[str, tuple[int, str]]) -> bool:
        """Ask once; return whether all is known that is stored, and nothing else."""
        with suppress(RegistryUnavailableError):
            await self._discovery.refresh()
        held = self._discovery.agents.values()
        return {one.id: (one.revision, one.status) for one in held} == stored


class Network:
    """Proxies between readers and registries."""

    def __init__(self, registries: Registries, proxies: list[FaultProxy]) -> None:
        self._registries = registries
        self._proxies = proxies
        self.faults = 0

    def disturb(self, rng: random.Random) -> None:
        """Do something to one of the proxies."""
        proxy = rng.choice(self._proxies)
        self.faults += 1
        match rng.randrange(7):
            case 0:
                proxy.cut()
            case 1:
                proxy.delay(rng.random() * 0.1)
            case 2:
                proxy.swallow()
            case 3:
                proxy.truncate(rng.randrange(1, 5000))
            case 4:
                proxy.flow()
                proxy.delay(0)
            case _:
                proxy.aim(rng.choice(self._registries.processes).port)
                proxy.cut()

    def heal(self) -> None:
        """Let everything through from now on."""
        for proxy in self._proxies:
            proxy.delay(0)
            proxy.flow()
            proxy.cut()

    def urls(self) -> Iterator[str]:
        """Yield the address of each proxy."""
        for proxy in self._proxies:
            yield f"http://127.0.0.1:{proxy.port}"


@asynccontextmanager
async def network(registries: Registries, proxies: int) -> AsyncIterator[Network]:
    """Run proxies."""
    async with AsyncExitStack() as open_:
        yield Network(
            registries,
            [
                await open_.enter_async_context(
                    fault_proxy(registries.processes[number % REGISTRIES].port)
                )
                for number in range(proxies)
            ],
        )
