"""What a ``ParkingBreaker`` counts."""

from dataclasses import dataclass

from meshaccel.resilience.parking_gate import ParkingState


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingStats:
    """A snapshot; the totals count since the breaker was made.

    Attributes:
        state: ``closed``, ``open`` or ``half_open``.
        parked: calls that wait.
        in_flight: calls that were let through and have not ended, but for those it has given up.
        window: how many of them there may be while it is half open.
        usual_s: how long a reply takes in good times, in seconds; 0 if there was none yet.
        trips: how often it opened.
        probes: calls let through to see whether the dependency is back.
        released: calls let through after they had waited, probes included.
        expired: calls whose deadline came first.
        refused: calls that could not wait, since too many did or they had no time.
        cancelled: calls that were cancelled while they waited.
    """

    state: ParkingState
    parked: int
    in_flight: int
    window: int
    usual_s: float
    trips: int
    probes: int
    released: int
    expired: int
    refused: int
    cancelled: int
