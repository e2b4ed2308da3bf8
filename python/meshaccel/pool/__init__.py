"""A connection pool for SQLite under asyncio; it needs nothing else of this package."""

from meshaccel.pool.connection import Acquiring, Connection
from meshaccel.pool.jobs import Executed
from meshaccel.pool.pool import ConnectionPool
from meshaccel.pool.stats import PoolStats
from meshaccel.timings import Histogram

__all__ = ["Acquiring", "Connection", "ConnectionPool", "Executed", "Histogram", "PoolStats"]
