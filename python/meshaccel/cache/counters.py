"""What a hierarchical cache tells about itself."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from meshaccel.cache.stats import CacheStats


@dataclass(slots=True)
class Counters:
    """Counts as they grow. Threads that count at the same time may lose some."""

    l2_hits: int = 0
    l2_misses: int = 0
    l2_writes: int = 0
    l2_refused: int = 0
    l2_errors: int = 0
    fetches: int = 0
    fetch_errors: int = 0
    timeouts: int = 0
    joined: int = 0
    outdated: int = 0
    stale: int = 0
    failed_safe: int = 0
    refreshed: int = 0
    not_modified: int = 0
    negative_hits: int = 0
    backplane_errors: int = 0
    heard: int = 0
    lost: int = 0

    def report(self, l1: CacheStats, under_way: int) -> "HierarchicalStats":
        """Return the counts as they are now."""
        counts = {field.name: getattr(self, field.name) for field in fields(self)}
        return HierarchicalStats(l1=l1, under_way=under_way, **counts)


class HierarchicalStats(NamedTuple):
    """Counts since the cache was made, all namespaces together."""

    l1: CacheStats
    """The first level's own. Its misses are the reads that had to look further."""
    under_way: int
    """Keys that are being fetched now."""
    l2_hits: int
    """Fresh entries found in the second level."""
    l2_misses: int
    """Keys it was asked for in vain, while it could be asked."""
    l2_writes: int
    """Fetched values it took."""
    l2_refused: int
    """Fetched values it did not take: something they depend on had changed."""
    l2_errors: int
    """Operations that failed, and payloads that are not ours."""
    fetches: int
    """Calls of functions that fetch."""
    fetch_errors: int
    """Calls that failed, timeouts included."""
    timeouts: int
    """Calls that exceeded the hard timeout."""
    joined: int
    """Reads that shared the fetch of another."""
    outdated: int
    """Fetched values that the first level did not keep: something they depend on had changed."""
    stale: int
    """Old values served while a new one was fetched, by request or after a soft timeout."""
    failed_safe: int
    """Old values served in place of an error."""
    refreshed: int
    """Fetches in the background, for old values or eagerly."""
    not_modified: int
    """Old values that were found to be still good."""
    negative_hits: int
    """Errors raised again without fetching."""
    backplane_errors: int
    """Messages that could not be sent."""
    heard: int
    """Invalidations of other nodes."""
    lost: int
    """Times that everything was dropped because messages may have been missed."""
