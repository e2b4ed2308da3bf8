"""Time, passed in wherever it is used, so that tests never sleep."""

import time
from datetime import UTC, datetime
from functools import lru_cache
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
    return rfc3339_bytes(us).decode()


def rfc3339_bytes(us: int) -> bytes:
    """As ``rfc3339``, in ASCII."""
    seconds, microseconds = divmod(us, 1_000_000)
    return b"%b.%06dZ" % (_date_and_time(seconds), microseconds)


# A listing formats a time per agent, nearly all of them within the last heartbeat interval.
@lru_cache(maxsize=1024)
def _date_and_time(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
