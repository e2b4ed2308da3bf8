"""The figures of caches for Prometheus; needs the package ``prometheus_client``.

A cache is told apart by its name, the label ``namespace``: as many series as there are caches.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from meshaccel.cache.counters import HierarchicalStats
from meshaccel.cache.hierarchical import HierarchicalCache
from meshaccel.cache.stats import CacheStats
from meshaccel.families import counter, gauge

_PREFIX = "meshaccel_cache"
_WHICH = ["namespace", "level"]

_LEAVING = {
    "evicted": "to make room",
    "expired": "because its time was up",
    "invalidated": "because of a tag",
}
_EVENTS = {
    "l2_writes": "Fetched values that the second level took",
    "l2_refused": "Fetched values it did not take: something they depend on had changed",
    "l2_errors": "Operations of the second level that failed, and payloads that are not ours",
    "fetches": "Calls of functions that fetch",
    "fetch_errors": "Calls that failed, timeouts included",
    "timeouts": "Calls that exceeded the hard timeout",
    "joined": "Reads that shared the fetch of another",
    "outdated": "Fetched values not kept in the first level: something they depend on had changed",
    "stale": "Old values served while a new one was fetched",
    "failed_safe": "Old values served in place of an error",
    "refreshed": "Fetches in the background",
    "not_modified": "Old values that were found to be still good",
    "negative_hits": "Errors raised again without fetching",
    "backplane_errors": "Messages that could not be sent",
    "heard": "Invalidations of other nodes",
    "lost": "Times that everything was dropped because messages may have been missed",
}


class CacheCollector(Collector):
    """Reads ``cache.stats()`` whenever it is scraped; between scrapes it costs nothing.

    ::

        caches = {"quotes": quotes, "users": users}
        prometheus_client.REGISTRY.register(CacheCollector(caches))

    The first level is ``level="1"``, the second one ``level="2"``.

    Args:
        caches: each by its name, the value of the label ``namespace``.
    """

    def __init__(self, caches: Mapping[str, HierarchicalCache[Any]]) -> None:
        self._caches = caches

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        stats = {name: cache.stats() for name, cache in self._caches.items()}
        second = {name: figures for name, figures in stats.items() if _has_second(figures)}
        yield from cache_metrics({name: figures.l1 for name, figures in stats.items()}, second)
        under_way = [([name], figures.under_way) for name, figures in stats.items()]
        yield gauge(
            f"{_PREFIX}_fetching", "Keys that are being fetched now", ["namespace"], under_way
        )
        for event, about in _EVENTS.items():
            samples = [([name], getattr(figures, event)) for name, figures in stats.items()]
            yield counter(f"{_PREFIX}_{event}", about, ["namespace"], samples)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: caches may be added later."""
        return iter(())


def cache_metrics(
    first: Mapping[str, CacheStats], second: Mapping[str, HierarchicalStats] | None = None
) -> Iterator[Metric]:
    """Yield the metrics of first levels, and the reads of the second levels behind some."""
    reads = {(name, "1"): (figures.hits, figures.misses) for name, figures in first.items()}
    for name, behind in (second or {}).items():
        reads[name, "2"] = (behind.l2_hits, behind.l2_misses)
    for result, at, about in (("hits", 0, "an entry"), ("misses", 1, "none")):
        samples = [(which, counts[at]) for which, counts in reads.items()]
        yield counter(f"{_PREFIX}_{result}", f"Reads that found {about}", _WHICH, samples)
    yield gauge(
        f"{_PREFIX}_hit_ratio",
        "Share of the reads that found an entry, since the start",
        _WHICH,
        [
            (which, hits / (hits + misses) if hits or misses else None)
            for which, (hits, misses) in reads.items()
        ],
    )
    kept = [((name, "1"), figures.entries) for name, figures in first.items()]
    yield gauge(f"{_PREFIX}_entries", "Entries now", _WHICH, kept)
    sizes = [((name, "1"), figures.bytes) for name, figures in first.items()]
    yield gauge(f"{_PREFIX}_bytes", "Sum of their sizes, where sizes bound it", _WHICH, sizes)
    stored = [((name, "1"), figures.stored) for name, figures in first.items()]
    yield counter(f"{_PREFIX}_stored", "Values stored, overwriting included", _WHICH, stored)
    outlived = [((name, "1"), figures.outlived) for name, figures in first.items()]
    about = "Values refused: what they were derived from had changed while they were computed"
    yield counter(f"{_PREFIX}_outlived", about, _WHICH, outlived)
    yield counter(
        f"{_PREFIX}_left",
        "Entries that left, by reason: " + ", ".join(f"{k} {v}" for k, v in _LEAVING.items()),
        [*_WHICH, "reason"],
        [
            ((name, "1", reason), getattr(figures, reason))
            for name, figures in first.items()
            for reason in _LEAVING
        ],
    )


def _has_second(stats: HierarchicalStats) -> bool:
    return any((stats.l2_hits, stats.l2_misses, stats.l2_writes, stats.l2_errors))
