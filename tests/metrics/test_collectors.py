"""The collectors of the library's parts show what the parts count."""

import asyncio

from prometheus_client.registry import Collector
from tests.http.client import QUIET

from meshaccel import (
    AgentRegistry,
    Declaration,
    HierarchicalCache,
    IncrementalServiceDiscovery,
    TagCache,
    Tool,
)
from meshaccel.cache.counters import HierarchicalStats
from meshaccel.cache.prometheus import CacheCollector, cache_metrics
from meshaccel.discovery.prometheus import DiscoveryCollector


def samples(collector: Collector) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return values by name and the values of labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def test_a_cache_by_namespace_and_level() -> None:
    async def run() -> HierarchicalCache[int]:
        cache: HierarchicalCache[int] = HierarchicalCache(TagCache(8))

        async def fetch() -> int:
            return 7

        for key in ("a", "a", "a", "b"):
            assert await cache.get(key, fetch, tags=["t"]) == 7
        await cache.invalidate_by_tag("t")
        return cache

    cache = asyncio.run(run())
    unread: HierarchicalCache[int] = HierarchicalCache(TagCache(8))
    shown = samples(CacheCollector({"used": cache, "unread": unread}))
    assert shown["meshaccel_cache_hits_total", ("used", "1")] == 2
    assert shown["meshaccel_cache_misses_total", ("used", "1")] == 2
    assert shown["meshaccel_cache_hit_ratio", ("used", "1")] == 0.5
    assert shown["meshaccel_cache_fetches_total", ("used",)] == 2
    assert shown["meshaccel_cache_left_total", ("used", "1", "invalidated")] == 2
    # Nothing is known of what was never read, and of a level that is not there.
    assert ("meshaccel_cache_hit_ratio", ("unread", "1")) not in shown
    assert shown["meshaccel_cache_hits_total", ("unread", "1")] == 0
    assert not [labels for _, labels in shown if "2" in labels]


def test_a_second_level() -> None:
    """Its reads are told apart from those of the first."""
    stats: HierarchicalStats = HierarchicalCache[int](TagCache(8)).stats()
    stats = stats._replace(l2_hits=3, l2_misses=1)
    shown = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in cache_metrics({"c": stats.l1}, {"c": stats})
        for sample in family.samples
    }
    assert shown["meshaccel_cache_hits_total", ("c", "2")] == 3
    assert shown["meshaccel_cache_hit_ratio", ("c", "2")] == 0.75


def test_a_discovery_client() -> None:
    async def run() -> dict[tuple[str, tuple[str, ...]], float]:
        async with (
            await AgentRegistry.open(":memory:", settings=QUIET) as registry,
            IncrementalServiceDiscovery(registry) as discovery,
        ):
            collector = DiscoveryCollector(discovery, "router")
            before = samples(collector)
            assert ("meshaccel_discovery_revision", ("router",)) not in before
            tool = Tool(function_name="f", capability="cap")
            await registry.register(Declaration(agent_id="a", tools=(tool,)))
            await discovery.refresh()
            # Its calls are those that the registry's feed counts.
            assert registry.stats().feed.calls == discovery.stats().calls
            return samples(collector)

    shown = asyncio.run(run())
    assert shown["meshaccel_discovery_agents", ("router",)] == 1
    assert shown["meshaccel_discovery_revision", ("router",)] == 1
    assert shown["meshaccel_discovery_changes_total", ("router",)] == 1
    assert shown["meshaccel_discovery_age_seconds", ("router",)] >= 0
