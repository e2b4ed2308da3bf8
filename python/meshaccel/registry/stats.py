"""A registry in figures."""

from msgspec import Struct

from meshaccel.metadata import MetadataStats
from meshaccel.pool import PoolStats


class RegistryStats(Struct, frozen=True):
    """A registry in figures, at one time."""

    agents: int
    """Agents that are known, healthy or not."""
    metadata: MetadataStats
    """What the pool of records and definitions holds, and what it saves."""
    database: PoolStats
    """What the pool of connections did."""
