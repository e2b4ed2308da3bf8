"""Leave to make a call while the dependency is, or was, in trouble."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshaccel.resilience.parking import ParkingBreaker


class ParkingPermit:
    """Leave for one call that a ``ParkingBreaker`` let through while it was not closed."""

    __slots__ = ("_breaker", "_period")

    def __init__(self, breaker: "ParkingBreaker", period: int) -> None:
        self._breaker = breaker
        self._period = period

    def success(self, latency_s: float, /) -> None:
        """The dependency answered, after so many seconds."""
        self._breaker.settle(self._used(), latency_s=latency_s)

    def failure(self) -> None:
        """The dependency is in trouble."""
        self._breaker.settle(self._used(), failed=True)

    def release(self) -> None:
        """The call tells nothing of the dependency, as when it was cancelled."""
        self._breaker.settle(self._used())

    def _used(self) -> int:
        # No period has this number: used again, the permit changes nothing.
        period, self._period = self._period, -1
        return period
