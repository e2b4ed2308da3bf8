"""Every metric that there is, with its labels, after some traffic or none."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from tests.http.client import QUIET

from meshaccel import AgentRegistry, HierarchicalCache, IncrementalServiceDiscovery, TagCache
from meshaccel.cache.prometheus import CacheCollector
from meshaccel.discovery.prometheus import DiscoveryCollector
from meshaccel.http.exposition import MetricsPage
from meshaccel.http.metrics import RequestTally
from meshaccel.registry.prometheus import RegistryCollector

DOCS = Path(__file__).parents[2] / "docs"

_SUFFIXES = {
    "counter": ("_total",),
    "info": ("_info",),
    "histogram": ("_bucket", "_count", "_sum"),
    "gauge": ("",),
}


class Family(Struct, frozen=True):
    """A metric."""

    name: str
    """As a table of metrics calls it."""
    kind: str
    labels: tuple[str, ...]
    about: str

    @property
    def series(self) -> set[str]:
        """The names by which a query may ask for it."""
        if self.kind != "histogram":
            return {self.name}
        return {self.name + suffix for suffix in _SUFFIXES["histogram"]}


def families(collector: Collector) -> list[Family]:
    """Return what a collector yields."""
    return [_family(metric) for metric in collector.collect()]


def _family(metric: Metric) -> Family:
    suffix = "" if metric.type == "histogram" else _SUFFIXES[metric.type][0]
    labels: Iterable[str] = getattr(metric, "_labelnames", ())
    if metric.type == "info":
        labels = [name for sample in metric.samples for name in sample.labels]
    return Family(metric.name + suffix, metric.type, tuple(labels), metric.documentation)


class Exported(Struct, frozen=True):
    """What is exported, by the heading in docs/metrics.md."""

    service: list[Family]
    registry: list[Family]
    caches: list[Family]
    discovery: list[Family]


def exported() -> Exported:
    """Ask every collector that docs/metrics.md has a table of."""

    async def ask() -> Exported:
        async with (
            await AgentRegistry.open(":memory:", settings=QUIET) as registry,
            IncrementalServiceDiscovery(registry) as discovery,
        ):
            cache: HierarchicalCache[int] = HierarchicalCache(TagCache(8))
            return Exported(
                families(MetricsPage(registry, RequestTally()).collector),
                families(RegistryCollector(registry)),
                families(CacheCollector({"c": cache})),
                families(DiscoveryCollector(discovery, "d")),
            )

    return asyncio.run(ask())


def documented() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return type, unit and labels of every metric in the tables of docs/metrics.md."""
    row = re.compile(r"^\| `((?:meshaccel|process)_\w+)` \| (\w+) \| ([^|]+) \| ([^|]*) \| .+ \|$")
    found = [row.match(line) for line in (DOCS / "metrics.md").read_text().splitlines()]
    rows = [match.groups() for match in found if match]
    assert len({name for name, *_ in rows}) == len(rows), "a metric is listed twice"
    return {
        name: (kind, unit, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, unit, labels in rows
    }
