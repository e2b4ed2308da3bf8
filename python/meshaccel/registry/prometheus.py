"""The figures of a registry for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator

from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from meshaccel.cache.prometheus import cache_metrics
from meshaccel.db.census import Census
from meshaccel.families import counter, gauge, histogram
from meshaccel.pool.prometheus import pool_metrics
from meshaccel.registry.readership import FeedStats
from meshaccel.registry.service import AgentRegistry
from meshaccel.registry.stats import RegistryStats
from meshaccel.resilience.prometheus import operation_metrics

POOL = "registry"
"""The label ``pool`` of the registry's connections."""


class RegistryCollector(Collector):
    """Reads ``registry.stats()`` whenever it is scraped; between scrapes it costs nothing.

    ::

        collector = RegistryCollector(registry)
        prometheus_client.REGISTRY.register(collector)

    What only the database knows is as of the last ``census``, and left out before the first.

    Args:
        registry: an open registry.
    """

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry
        self.census: Census | None = None
        """``await registry.census()``, or None if it is not known."""

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, with durations in seconds. May be called by any thread."""
        stats = self._registry.stats()
        yield InfoMetricFamily(
            "meshaccel_registry",
            "The history that revisions belong to",
            value={"epoch": self._registry.feed.epoch},
        )
        yield from _fleet(stats, self.census)
        yield from _operations(stats)
        yield from _metadata(stats)
        yield from cache_metrics(stats.caches)
        yield from _feed(stats.feed)
        yield from pool_metrics(stats.database, POOL)
        yield from operation_metrics(stats.recovery)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: which operations there are shows as they are called."""
        return iter(())


def _fleet(stats: RegistryStats, census: Census | None) -> Iterator[Metric]:
    healthy, unhealthy = stats.healthy, stats.agents - stats.healthy
    if census is not None:
        healthy, unhealthy = census.healthy, census.unhealthy
    agents = [(["healthy"], healthy), (["unhealthy"], unhealthy)]
    yield gauge("meshaccel_agents", "Agents that are known", ["status"], agents)
    for name, about in (
        ("capabilities", "Distinct names of what agents offer"),
        ("revision", "Revision of the last change"),
        ("floor", "Removals up to this revision are forgotten"),
    ):
        value = None if census is None else getattr(census, name)
        yield gauge(f"meshaccel_{name}", about, [], [([], value)])


def _operations(stats: RegistryStats) -> Iterator[Metric]:
    about = "Calls of the registry, whatever came of them"
    calls = [([kind], counts.calls) for kind, counts in stats.operations.items()]
    yield counter("meshaccel_operations", about, ["operation"], calls)
    about = "SQL statements run for an operation, without transaction brackets"
    queries = [([kind], counts.queries) for kind, counts in stats.operations.items()]
    yield counter("meshaccel_queries", about, ["operation"], queries)
    about = "Statements a call, without background and census, since the start"
    value = stats.brief.queries_per_operation
    yield gauge("meshaccel_queries_per_operation", about, [], [([], value)])


def _metadata(stats: RegistryStats) -> Iterator[Metric]:
    metadata, saved = stats.metadata, stats.brief.metadata_saved_percent
    for name, about, value in (
        ("values", "Distinct records and definitions", metadata.values),
        ("references", "Holders of records and definitions", metadata.references),
        (
            "nodes",
            "Distinct strings, numbers, lists and dicts that they are made of",
            metadata.nodes,
        ),
        ("bytes", "Memory that the pool of metadata takes", metadata.bytes),
        ("plain_bytes", "Memory that a copy for each holder would take", metadata.plain_bytes),
        (
            "saved_ratio",
            "Share of plain_bytes that the pool saves",
            None if saved is None else saved / 100,
        ),
    ):
        yield gauge(f"meshaccel_metadata_{name}", about, [], [([], value)])
    for name, about, total in (
        ("hits", "Values given to the pool that were there already", metadata.hits),
        ("misses", "Values given to the pool that were not", metadata.misses),
    ):
        yield counter(f"meshaccel_metadata_{name}", about, [], [([], total)])


def _feed(feed: FeedStats) -> Iterator[Metric]:
    percent = feed.calls_avoided_percent
    for name, about, value in (
        ("readers", "Requests and streams that wait for changes", feed.readers),
        (
            "calls_avoided_ratio",
            "Share of polls that took no call, since the start",
            None if percent is None else percent / 100,
        ),
        (
            "avoided_bytes",
            "Bytes of documents not sent, against polling, since the start",
            feed.bytes_avoided,
        ),
    ):
        yield gauge(f"meshaccel_feed_{name}", about, [], [([], value)])
    for name, about, total in (
        ("calls", "Requests and streams of the feed's readers", feed.calls),
        ("polls", "Calls that polling every 5 s would have made", feed.polls),
        ("documents", "Documents of agents that were sent", feed.documents),
        ("document_bytes", "Bytes that documents took as JSON", feed.bytes),
        (
            "polled_bytes",
            "Bytes of documents that polling every 5 s would have sent",
            feed.polled_bytes,
        ),
    ):
        yield counter(f"meshaccel_feed_{name}", about, [], [([], total)])
    about = "From the commit that woke a waiting reader until its answer was there"
    yield histogram("meshaccel_feed_lag_seconds", about, [], {(): feed.lag})
