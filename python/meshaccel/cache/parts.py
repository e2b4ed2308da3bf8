"""What a cache and its namespaces share."""

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from meshaccel._native import TagCache
from meshaccel.cache.arrivals import Arrivals
from meshaccel.cache.counters import Counters
from meshaccel.cache.fetches import Fetches, Tasks
from meshaccel.cache.first_level import FirstLevel
from meshaccel.cache.level2 import Backplane, Codec, Level2
from meshaccel.cache.second_level import ErrorHook, SecondLevel
from meshaccel.clock import Clock

V = TypeVar("V")


class Parts(Generic[V]):
    """The parts, put together. The arguments are those of ``HierarchicalCache``."""

    def __init__(  # noqa: PLR0913 - options, all explained there
        self,
        l1: TagCache[V] | None,
        l2: Level2 | None,
        *,
        codec: Codec,
        backplane: Backplane | None,
        freeze: Callable[[V], V] | None,
        copy: Callable[[V], V] | None,
        old_entries: int,
        deaf_ttl: float,
        background_writes: bool,
        on_l2_error: ErrorHook | None,
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.copy = copy
        self.background_writes = background_writes
        self.backplane = backplane
        self.deaf_ttl = deaf_ttl
        self.closed = False
        self.counters = Counters()
        # A cache without room stores nothing, but still knows what is invalidated.
        fresh: TagCache[V] = TagCache(0) if l1 is None else l1
        self.first = FirstLevel(fresh, old_entries=old_entries, monotonic=clock.monotonic)
        self.second: SecondLevel[V] = SecondLevel(l2, codec, on_l2_error, self.counters)
        self.arrivals = Arrivals(
            self.first, self.second, self.counters, clock=clock, freeze=freeze, trust=self.trust
        )
        self.fetches: Fetches[V] = Fetches()
        self.tasks = Tasks()

    def trust(self) -> float:
        """Return how long the first level may answer now without asking the second.

        While nothing is heard of other nodes, not for long.
        """
        hears = self.backplane is None or self.backplane.connected
        return math.inf if hears else self.deaf_ttl
