"""The figures of a pool for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from meshaccel.pool.stats import PoolStats
from meshaccel.timings import BOUNDS_S, Histogram

if TYPE_CHECKING:
    from meshaccel.pool.pool import ConnectionPool

_GAUGES = ("size", "idle", "in_use", "opening", "max_connections", "waiting", "write_waiting")
_TIMES = {
    "wait": "Time until a connection was there",
    "use": "Time until a connection was given back",
}


class PoolCollector(Collector):
    """Reads ``pool.stats()`` whenever it is scraped; between scrapes it costs nothing.

    ::

        prometheus_client.REGISTRY.register(PoolCollector(pool, "agents"))

    Args:
        pool: an open pool.
        name: the value of the label ``pool``.
        prefix: what the names of the metrics begin with.
    """

    def __init__(self, pool: "ConnectionPool", name: str, prefix: str = "meshaccel_pool") -> None:
        self._pool = pool
        self._name = name
        self._prefix = prefix

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, with durations in seconds."""
        stats = self._pool.stats()
        docs = _documentation()
        for name in PoolStats.__slots__:
            value = getattr(stats, name)
            if isinstance(value, Histogram):
                yield self._histogram(name, value)
            elif name in _GAUGES:
                gauge = GaugeMetricFamily(f"{self._prefix}_{name}", docs[name], labels=["pool"])
                gauge.add_metric([self._name], value)
                yield gauge
            else:
                total = CounterMetricFamily(f"{self._prefix}_{name}", docs[name], labels=["pool"])
                total.add_metric([self._name], value)
                yield total

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the pool may not be open yet when this is registered."""
        return iter(())

    def _histogram(self, name: str, value: Histogram) -> Metric:
        family = HistogramMetricFamily(
            f"{self._prefix}_{name}_seconds", _TIMES[name], labels=["pool"]
        )
        bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
        buckets = list(zip(bounds, accumulate(value.counts), strict=True))
        family.add_metric([self._name], buckets, value.total)
        return family


def _documentation() -> dict[str, str]:
    """Return what the docstring of ``PoolStats`` says of each attribute."""
    lines = (PoolStats.__doc__ or "").partition("Attributes:")[2].splitlines()
    pairs = (line.strip().partition(": ") for line in lines)
    return {name: text for name, _, text in pairs if text}
