"""What a discovery client says of itself."""

from collections.abc import Mapping

from msgspec import Struct


class DiscoveryStats(Struct, frozen=True, kw_only=True):
    """What a client holds, and what that took."""

    agents: int
    epoch: str | None
    revision: int | None
    """Up to which everything is known; None before the first success."""
    age_s: float | None
    """Since it was last certain that all was known; None if it was not in this process."""
    calls: int
    """Requests and streams."""
    received_bytes: int
    """Of answers over HTTP, without their headers."""
    changes: int
    """Of agents that were added, changed or removed."""
    resyncs: Mapping[str, int]
    """Times at which what was held had to be compared or read again, by reason: ``epoch``,
    ``compacted``, ``future``, ``hash``, or ``state`` of a file that could not be used."""
    suspicions: Mapping[str, int]
    """Answers that ``Guards`` refused, by reason."""
