"""What goes wrong while a registry is at work."""

import asyncio
import itertools
import resource
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from tests.fault_proxy import FaultProxy
from tests.integration.processes import Registry
from tests.soak.load import Load


class Faults:
    """Brings one trouble after the other, in turn.

    Args:
        registry: The registry.
        proxies: What some of its clients go through.
        load: Told when the registry was killed.
    """

    def __init__(self, registry: Registry, proxies: list[FaultProxy], load: Load) -> None:
        self.counts: Counter[str] = Counter()
        self._registry = registry
        self._proxies = proxies
        self._load = load
        self._path = Path(registry.env["DATABASE_URL"])
        self._turns = itertools.cycle((self.cut, self.lock, self.swallow, self.fill_the_disk))

    async def run(self, every_s: float, ends: float) -> None:
        """Go on until a moment; what was begun by then is ended."""
        while time.monotonic() + every_s < ends:
            await asyncio.sleep(every_s)
            fault = next(self._turns)
            await fault()
            self.counts[fault.__name__] += 1
        await asyncio.sleep(max(ends - time.monotonic(), 0))

    async def cut(self) -> None:
        """Cut all connections through the proxies."""
        for proxy in self._proxies:
            proxy.cut()

    async def swallow(self) -> None:
        """Let nothing pass for a second, though connections stay."""
        for proxy in self._proxies:
            proxy.swallow()
        await asyncio.sleep(1.0)
        for proxy in self._proxies:
            proxy.flow()

    async def lock(self) -> None:
        """Let another process write for a second."""
        await asyncio.to_thread(self._lock, 1.0)

    async def fill_the_disk(self) -> None:
        """Let no file grow for a second."""
        pid, size = self._registry.pid, self._path.stat().st_size
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        await asyncio.sleep(1.0)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))

    async def kill(self) -> None:
        """End the registry as a crash does, and start it again."""
        self._registry.kill()
        self._load.registry_was_killed()
        self.counts["kill"] += 1
        await asyncio.to_thread(self._registry.start)

    def _lock(self, seconds: float) -> None:
        with (
            suppress(sqlite3.OperationalError),  # it is too busy to be locked
            closing(sqlite3.connect(self._path, isolation_level=None, timeout=5)) as conn,
        ):
            conn.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            conn.execute("ROLLBACK")
