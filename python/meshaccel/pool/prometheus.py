"""The figures of a pool for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from meshaccel.families import counter, gauge, histogram
from meshaccel.pool.stats import PoolStats
from meshaccel.timings import Histogram

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
        return pool_metrics(self._pool.stats(), self._name, self._prefix)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the pool may not be open yet when this is registered."""
        return iter(())


def pool_metrics(stats: PoolStats, pool: str, prefix: str = "meshaccel_pool") -> Iterator[Metric]:
    """Yield the metrics of one pool, as ``PoolCollector`` does."""
    docs = _documentation()
    for name in PoolStats.__slots__:
        value = getattr(stats, name)
        if isinstance(value, Histogram):
            full = f"{prefix}_{name}_seconds"
            yield histogram(full, _TIMES[name], ["pool"], {(pool,): value})
        else:
            made = gauge if name in _GAUGES else counter
            yield made(f"{prefix}_{name}", docs.get(name, name), ["pool"], [([pool], value)])


def _documentation() -> dict[str, str]:
    """Return what the docstring of ``PoolStats`` says of each attribute, if it is there."""
    lines = (PoolStats.__doc__ or "").partition("Attributes:")[2].splitlines()
    pairs = (line.strip().partition(": ") for line in lines)
    return {name: text for name, _, text in pairs if text}
