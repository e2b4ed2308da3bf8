"""The figures of a discovery client for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from meshaccel.discovery.client import IncrementalServiceDiscovery
from meshaccel.families import counter, gauge

_CLIENT = ["client"]


class DiscoveryCollector(Collector):
    """Reads ``discovery.stats()`` whenever it is scraped; between scrapes it costs nothing.

    ::

        prometheus_client.REGISTRY.register(DiscoveryCollector(discovery, "router"))

    Args:
        discovery: whose figures.
        name: the value of the label ``client``.
        prefix: what the names of the metrics begin with.
    """

    def __init__(
        self,
        discovery: IncrementalServiceDiscovery,
        name: str,
        prefix: str = "meshaccel_discovery",
    ) -> None:
        self._discovery = discovery
        self._name = name
        self._prefix = prefix

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, with durations in seconds."""
        stats = self._discovery.stats()
        who = [self._name]
        for name, about, value in (
            ("agents", "Agents that are known", stats.agents),
            ("revision", "Revision up to which everything is known", stats.revision),
            ("age_seconds", "Since it was last certain that all was known", stats.age_s),
        ):
            yield gauge(f"{self._prefix}_{name}", about, _CLIENT, [(who, value)])
        for name, about, value in (
            ("calls", "Requests and streams", stats.calls),
            ("received_bytes", "Of answers over HTTP, without headers", stats.received_bytes),
            ("changes", "Of agents that were added, changed or removed", stats.changes),
        ):
            yield counter(f"{self._prefix}_{name}", about, _CLIENT, [(who, value)])
        for name, about, counts in (
            ("resyncs", "Times at which all had to be compared or read again", stats.resyncs),
            ("suspicions", "Answers that the guards refused", stats.suspicions),
        ):
            samples = [((self._name, reason), count) for reason, count in counts.items()]
            yield counter(f"{self._prefix}_{name}", about, [*_CLIENT, "reason"], samples)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: which reasons there are shows as they come."""
        return iter(())
