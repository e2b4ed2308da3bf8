"""Time, passed in wherever it is used, so that tests never sleep."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two readings of time: one for records, one for durations."""

    def now_us(self) -> int:
        """Return Unix time in microseconds; it may jump."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; it never goes back."""


class SystemClock:
    """The clock of this machine."""

    def now_us(self) -> int:
        """Return Unix time in microseconds."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return ``time.monotonic()``."""
        return time.monotonic()


def rfc3339(us: int) -> str:
    """Format Unix microseconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
