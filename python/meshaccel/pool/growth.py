"""When single jobs, rather than users with a connection of their own, make a pool grow."""

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshaccel.pool.connections import Connections
    from meshaccel.pool.waiters import Entry

PARALLEL = max(2, os.cpu_count() or 1)
"""How many connections serve jobs without further ado."""

_PATIENCE_S = 0.005


class JobGrowth:
    """Watches the queue while jobs wait in it.

    Jobs are short, mostly, and a connection serves one after the other faster than a further
    thread starts. So only when they had to wait one more connection is used, and beyond one for
    each processor only if the queue has not moved meanwhile: more threads do not make short jobs
    any faster, but must not all be held up by long ones. What the writer does meanwhile tells
    nothing about the readers.
    """

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._first: Entry | None = None

    def watch(self) -> None:
        """Look again in a few milliseconds."""
        if self._timer is None:
            self._first = self._connections.waiting.oldest()
            self._timer = self._connections.loop.call_later(_PATIENCE_S, self._look)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        connections = self._connections
        first, self._first = self._first, None
        oldest = connections.waiting.oldest()
        if oldest is None:
            return
        waited = connections.settings.clock() - oldest.queued > _PATIENCE_S
        stuck = oldest is first
        if (waited and len(connections.serving) < PARALLEL) or stuck:
            slot = connections.take()
            if slot is not None:
                connections.freed(slot, None)
            elif not connections.opening:
                connections.grow()
        self.watch()
