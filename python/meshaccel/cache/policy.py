"""How long values count, and what is served when they no longer do."""

import math
from dataclasses import dataclass

from meshaccel.errors import CacheOptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """Durations in seconds; those that are 0 or None switch a feature off.

    Raises:
        CacheOptionError: One is out of its range.
    """

    ttl: float = math.inf
    """How long a value is fresh, unless a call or the function that fetches it says otherwise."""
    l1_ttl: float = math.inf
    """How long the first level may answer without asking the second."""
    stale_while_revalidate: float = 0.0
    """How long after that an old value is still served, while a new one is fetched."""
    fail_safe: float = 0.0
    """How long an old value may take the place of an error or, with ``soft_timeout``, of a wait."""
    retry_after: float = 5.0
    """How long after a failure the old value is served without trying again."""
    keep: float = 0.0
    """How long an old value is kept for conditional refreshes alone."""
    eager: float | None = None
    """The share of the time to live (between 0 and 1) after which a read fetches a new value
    in the background, so that popular keys never miss."""
    soft_timeout: float | None = None
    """How long to wait for a value if an old one may be served; fetching goes on."""
    hard_timeout: float | None = None
    """How long fetching may take at all. A function that is not async cannot be stopped."""
    negative_ttl: float = 0.0
    """How long an error is remembered and raised again, without fetching."""
    negative: tuple[type[Exception], ...] = (Exception,)
    """The errors that are."""

    def __post_init__(self) -> None:
        for name in ("ttl", "l1_ttl", "soft_timeout", "hard_timeout"):
            span = getattr(self, name)
            if span is not None and not span > 0:
                raise CacheOptionError(name, "a positive number of seconds", span)
        for name in ("stale_while_revalidate", "fail_safe", "retry_after", "keep", "negative_ttl"):
            span = getattr(self, name)
            if not span >= 0:
                raise CacheOptionError(name, "a number of seconds, 0 at least", span)
        if self.eager is not None and not 0 < self.eager < 1:
            raise CacheOptionError("eager", "between 0 and 1", self.eager)

    @property
    def kept(self) -> float:
        """How long values are kept after they were fresh."""
        return max(self.stale_while_revalidate, self.fail_safe, self.keep)
