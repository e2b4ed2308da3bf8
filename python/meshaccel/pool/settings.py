"""What a pool can be told."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Bounds and durations, in seconds; ``ConnectionPool`` explains them."""

    max_connections: int = 20
    min_connections: int = 1
    max_waiting: int = 10_000
    acquire_timeout: float = 5.0
    idle_timeout: float = 300.0
    max_lifetime: float = 3600.0
    check_after: float = 0.5
    leak_after: float | None = None
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ValueError(f"max_connections must be at least 1, not {self.max_connections}")
        if not 0 <= self.min_connections <= self.max_connections:
            raise ValueError(
                f"min_connections must be between 0 and max_connections"
                f" ({self.max_connections}), not {self.min_connections}"
            )
        for name in ("acquire_timeout", "idle_timeout", "max_lifetime", "check_after"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, and is {getattr(self, name)}")

    def lifetime(self) -> float:
        """Return how long one more connection may live: up to a tenth less than the longest.

        Connections that were opened together would otherwise all be replaced together.
        """
        return self.max_lifetime * (1 - 0.1 * self.random())

    @property
    def sweep_interval(self) -> float:
        """How often to look for what is too old: a quarter of the shortest of the durations."""
        shortest = min(self.idle_timeout, self.max_lifetime, self.leak_after or self.idle_timeout)
        return min(max(shortest / 4, 0.05), 30.0)
