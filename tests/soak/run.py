"""A registry under load for a long time: nothing leaks, nothing is lost, nothing is stale."""

import asyncio
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from msgspec import Struct
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.integration.processes import Registry
from tests.soak.check import Check, Findings
from tests.soak.faults import Faults
from tests.soak.gauges import Sample, growths, sample
from tests.soak.load import Load, Pace
from tests.soak.readers import Reader, behind, following


class Plan(Struct, frozen=True, kw_only=True):
    """What a soak is. Times are in seconds."""

    seconds: float = 600.0
    pace: Pace = Pace()
    silence_s: float = 60.0
    """After which the registry takes an agent for dead."""
    readers: int = 16
    fault_every_s: float = 15.0
    kills: int = 2
    """In the first part; the rest shows whether one process grows."""
    restless: float = 0.3
    """The share of the time in which it is killed."""
    warm_up_s: float = 150.0
    """After the last kill; what follows is measured, if the soak is long enough for that."""
    check_every_s: float = 60.0
    sample_every_s: float = 10.0
    seed: int = 1


class Report(Struct, kw_only=True):
    """What came of it."""

    plan: Plan
    counts: Counter[str]
    faults: Counter[str]
    checks: int
    lost: list[str]
    stale: list[str]
    unneeded: list[str]
    grown: list[str]
    left_open: int
    """Descriptors more than before the load, after it has gone."""
    samples: list[Sample]
    measured: list[Sample]

    @property
    def failures(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.stale, *self.unneeded, *self.grown]


class Soak:
    """One registry, its agents, its readers, and what happens to them."""

    def __init__(self, plan: Plan, registry: Registry) -> None:
        self.plan = plan
        self.registry = registry
        self.samples: list[Sample] = []
        self.findings = Findings([], [], [])
        self.checks = 0
        self._checking = False
        self.load: Load
        self.readers: list[Reader]
        self.faults: Faults
        self._began = time.monotonic()

    async def run(self) -> Report:
        """Run it all."""
        idle = sample(self.registry.pid, 0.0)
        async with AsyncExitStack() as opened:
            proxies = [
                await opened.enter_async_context(fault_proxy(self.registry.port)) for _ in range(2)
            ]
            measured = await self._under_load(proxies)
        await asyncio.sleep(1.0)  # the registry closes what its clients left
        left_open = sample(self.registry.pid, self._elapsed()).descriptors - idle.descriptors
        return Report(
            plan=self.plan,
            counts=self.load.counts,
            faults=self.faults.counts,
            checks=self.checks,
            lost=self.findings.lost,
            stale=self.findings.stale,
            unneeded=self.findings.unneeded,
            grown=growths(measured),
            left_open=left_open,
            samples=self.samples,
            measured=measured,
        )

    async def check(self) -> None:
        """Leave the registry in peace, and compare everything with its database."""
        database = Path(self.registry.env["DATABASE_URL"])
        self._checking = True
        async with self.load.paused():
            found = await Check(self.load, self.registry.port, database).run()
            found.stale += await behind(self.readers, database)
        self._checking = False
        self.checks += 1
        self.findings.lost += found.lost
        self.findings.stale += found.stale
        self.findings.unneeded += found.unneeded

    async def _under_load(self, proxies: list[FaultProxy]) -> list[Sample]:
        plan = self.plan
        ports = [self.registry.port, *(proxy.port for proxy in proxies)]
        self.load = Load(ports, plan.pace, plan.seed)
        self.faults = Faults(self.registry, proxies, self.load)
        async with (
            following(f"http://127.0.0.1:{proxies[0].port}", plan.readers) as self.readers,
            self.load.running(),
        ):
            for _ in range(plan.kills):
                await self._go_on(plan.seconds * plan.restless / max(plan.kills, 1))
                async with self.load.paused():
                    pass  # so that the agents' signals are known up to here
                await self.faults.kill()
            await self._go_on(min(plan.warm_up_s, plan.seconds - self._elapsed()))
            warm = len(self.samples)
            await self._go_on(plan.seconds - self._elapsed())
            return self.samples[warm:]

    async def _go_on(self, seconds: float) -> None:
        """Let time pass, with faults and checks; in the end it is checked."""
        ends = time.monotonic() + seconds
        sampling = asyncio.create_task(self._sample())
        try:
            while (now := time.monotonic()) < ends:
                check_at = min(now + self.plan.check_every_s, ends)
                await self.faults.run(self.plan.fault_every_s, check_at)
                await self.check()
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)

    async def _sample(self) -> None:
        while True:
            if not self._checking:  # which takes connections of its own
                self.samples.append(sample(self.registry.pid, self._elapsed()))
            await asyncio.sleep(self.plan.sample_every_s)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def soak(plan: Plan) -> Report:
    """Run a soak against a registry process of its own."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        registry = started(plan, Path(folder))
        opened.callback(registry.kill)
        return asyncio.run(Soak(plan, registry).run())


def started(plan: Plan, folder: Path) -> Registry:
    """Start the registry of a soak."""
    settings = {"DEFAULT_TIMEOUT_THRESHOLD": str(int(plan.silence_s)), "MCP_MESH_LOG_LEVEL": "WARN"}
    registry = Registry(folder, env=settings)
    registry.start()
    return registry
