"""A registry in figures."""

from msgspec import Struct

from meshaccel.cache import CacheStats
from meshaccel.metadata import MetadataStats
from meshaccel.pool import PoolStats


class RegistryStats(Struct, frozen=True):
    """A registry in figures, at one time."""

    agents: int
    """Agents that are known, healthy or not."""
    metadata: MetadataStats
    """What the pool of records and definitions holds, and what it saves."""
    caches: dict[str, CacheStats]
    """What each cache did, by the kind of its entries: ``agent``, ``providers``, ``tools``,
    ``wiring``, ``listed`` and ``list``. ``hit_ratio`` is on the safe side: a heartbeat that
    misses looks for its wiring up to three times."""
    database: PoolStats
    """What the pool of connections did."""
