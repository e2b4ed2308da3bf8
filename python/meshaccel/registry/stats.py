"""A registry in figures."""

from msgspec import Struct

from meshaccel.cache import CacheStats
from meshaccel.db.counting import BACKGROUND
from meshaccel.metadata import MetadataStats
from meshaccel.pool import PoolStats
from meshaccel.registry.readership import FeedStats
from meshaccel.registry.served import OperationCounts
from meshaccel.resilience.stats import OperationStats

_UNASKED = {BACKGROUND, "census"}
"""What goes on without being asked for, and being watched, would make an idle registry look busy
for nothing."""


class Brief(Struct, frozen=True, kw_only=True):
    """What tells in a few numbers whether a registry does its job; None before there is anything.

    docs/metrics.md says exactly what each counts.
    """

    queries_per_operation: float | None
    """SQL statements for each call of an operation, ``background`` and ``census`` left out."""
    metadata_saved_percent: float | None
    """Memory that the pool of metadata saves, against a copy for each holder."""
    cache_hit_ratio: float | None
    """Share of the reads of all caches that found an entry, from 0 to 1."""
    calls_avoided_percent: float | None
    """Calls of the feed's readers that were not made, against polling."""
    bytes_avoided: int | None
    """Bytes of documents that the feed did not send, against polling."""
    recovery_rate: float | None
    """Share of database calls saved among those that another attempt could save, from 0 to 1."""
    acquire_ms_p50: float | None
    """Milliseconds until a connection was there: an upper bound for one half of the times."""
    acquire_ms_p99: float | None
    """The same for 99 of 100."""


class RegistryStats(Struct, frozen=True, kw_only=True):
    """A registry in figures, at one time; counts are of this process, since it was opened."""

    agents: int
    """Agents that are known, healthy or not."""
    healthy: int
    """Those that are healthy."""
    operations: dict[str, OperationCounts]
    """What the registry was asked, by kind."""
    metadata: MetadataStats
    """What the pool of records and definitions holds, and what it saves."""
    caches: dict[str, CacheStats]
    """What each cache did, by the kind of its entries: ``agent``, ``providers``, ``tools``,
    ``wiring``, ``listed`` and ``list``. ``hit_ratio`` is on the safe side: a heartbeat that
    misses looks for its wiring up to three times."""
    database: PoolStats
    """What the pool of connections did."""
    recovery: dict[str, OperationStats]
    """What became of reads and writes of the database that failed at first."""
    feed: FeedStats
    """What readers of the change feed were told, and what that spared them."""

    @property
    def brief(self) -> Brief:
        """The few numbers that matter most."""
        asked = [self.operations[kind] for kind in self.operations if kind not in _UNASKED]
        calls = sum(counts.calls for counts in asked)
        queries = sum(counts.queries for counts in asked)
        hits = sum(cache.hits for cache in self.caches.values())
        reads = hits + sum(cache.misses for cache in self.caches.values())
        recovered = sum(operation.recovered for operation in self.recovery.values())
        savable = recovered + sum(operation.unrecovered for operation in self.recovery.values())
        return Brief(
            queries_per_operation=queries / calls if calls else None,
            metadata_saved_percent=(
                self.metadata.saved_percent if self.metadata.references else None
            ),
            cache_hit_ratio=hits / reads if reads else None,
            calls_avoided_percent=self.feed.calls_avoided_percent,
            bytes_avoided=self.feed.bytes_avoided,
            recovery_rate=recovered / savable if savable else None,
            acquire_ms_p50=self.database.wait.quantile_ms(0.50),
            acquire_ms_p99=self.database.wait.quantile_ms(0.99),
        )
