"""The stores, made alike for the tests."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.cache.level2.support import Clock
from tests.valkey import Valkey

from meshaccel.cache.level2 import Level2
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.sqlite_l2 import SqliteL2

STORES: Final = ["sqlite", "redis"]


class Store(Protocol):
    """Data, and how to open it."""

    clock: Clock
    max_notes: int
    slack: int
    """How many more notes there may be for a while."""

    async def open(self) -> Level2:
        """Open the same data each time."""

    async def notes(self) -> int:
        """How many notes there are."""


@dataclass
class SqliteStore:
    """A file."""

    path: Path
    clock: Clock = field(default_factory=Clock)
    max_notes: int = 1000
    slack: int = 2048

    async def open(self) -> SqliteL2:
        """Open the file."""
        return await SqliteL2.open(self.path, max_notes=self.max_notes, clock=self.clock)

    async def notes(self) -> int:
        """Count rows."""
        async with await SqliteL2.open(self.path) as l2:
            count = await l2._pool.fetch_one(
                "SELECT (SELECT count(*) FROM tags) + (SELECT count(*) FROM gone)"
            )
            assert count is not None
            return int(count[0])


@dataclass
class RedisStore:
    """A namespace."""

    server: Valkey
    namespace: str = field(default_factory=lambda: secrets.token_hex(8))
    clock: Clock = field(default_factory=Clock)
    max_notes: int = 1000
    slack: int = 0

    async def open(self) -> RedisL2:
        """Make a client."""
        return RedisL2(
            self.server.url,
            namespace=self.namespace,
            timeout=60,
            max_notes=self.max_notes,
            clock=self.clock,
        )

    async def notes(self) -> int:
        """Count members."""
        return sum(int(self.server.command("ZCARD", f"{{{self.namespace}}}:{k}")) for k in "vd")
