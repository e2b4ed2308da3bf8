"""What a pool counts, and how Prometheus sees it."""

import asyncio
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from tests.pool.support import pool_over

from meshaccel.pool import PoolStats
from meshaccel.pool.prometheus import PoolCollector
from meshaccel.timings import BOUNDS_S, Timings


def test_histogram() -> None:
    timings = Timings()
    for _ in range(98):
        timings.observe(0.00004)
    timings.observe(0.003)
    timings.observe(1000.0)
    seen = timings.snapshot()
    assert seen.count == 100
    assert abs(seen.total - 1000.00692) < 1e-6
    assert seen.quantile(0.5) == 0.00005
    assert seen.quantile(0.99) == 0.005
    assert seen.quantile(1.0) == float("inf")
    assert (seen.quantile_ms(0.99), seen.quantile_ms(1.0)) == (5.0, BOUNDS_S[-1] * 1000)
    assert Timings().snapshot().quantile_ms(0.99) is None
    assert Timings().snapshot().quantile(0.99) == 0.0


def test_waiting_and_use_are_measured(tmp_path: Path) -> None:
    """By the pool's clock, which here goes on by a millisecond whenever it is asked."""

    class Ticking:
        now = 0.0

        def __call__(self) -> float:
            self.now += 0.001
            return self.now

    async def run() -> None:
        async with pool_over(tmp_path, clock=Ticking()) as pool:
            before = pool.stats()
            await pool.fetch_one("SELECT 1")
            async with pool.acquire() as conn:
                await conn.fetch_one("SELECT 1")
            after = pool.stats()
            assert after.acquires - before.acquires == 2
            assert after.use.count - before.use.count == 2
            assert after.use.total > before.use.total
            assert after.wait.total > before.wait.total

    asyncio.run(run())


def test_prometheus(tmp_path: Path) -> None:
    async def run() -> str:
        registry = CollectorRegistry()
        async with pool_over(tmp_path, 4) as pool:
            registry.register(PoolCollector(pool, "agents"))
            await pool.fetch_one("SELECT 1")
            return generate_latest(registry).decode()

    text = asyncio.run(run())
    for name in PoolStats.__slots__:
        assert f"meshaccel_pool_{name}" in text
    assert 'meshaccel_pool_max_connections{pool="agents"} 4.0' in text
    assert re.search(r'meshaccel_pool_wait_seconds_bucket\{le="\+Inf",pool="agents"\} 2\.0', text)
    assert 'meshaccel_pool_opened_total{pool="agents"} 2.0' in text
    for line in text.splitlines():
        if line.startswith("# HELP"):
            assert len(line.split()) > 4, f"no documentation: {line}"
