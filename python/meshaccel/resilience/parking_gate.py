"""When a call may go to a dependency that is, or was, in trouble."""

from collections.abc import Callable
from typing import Literal

from meshaccel.errors import PolicyError
from meshaccel.resilience.parking_window import ReleaseWindow

ParkingState = Literal["closed", "open", "half_open"]

_JITTER = 0.5


class ParkingGate:
    """The states of a ``ParkingBreaker``, which has the calls; times are of its clock.

    Closed, calls go as they come. Open, one goes when it is time for a probe. Half open, as many
    are in flight as the window allows. Each opening and closing begins a new period; the outcome
    of a call that was let through in another one tells nothing of this.

    Args:
        trip_after: failures in a row that open it.
        probe_s: the first pause before a probe, in seconds, half of it more or less by chance.
        max_probe_s: the longest pause.
        patience_s: after how long a silence calls in flight are given up.
        uniform: where chance comes from.

    Raises:
        PolicyError: the values make no sense.
    """

    def __init__(
        self,
        *,
        trip_after: int,
        probe_s: float,
        max_probe_s: float,
        patience_s: float,
        uniform: Callable[[float, float], float],
    ) -> None:
        if trip_after < 1:
            raise PolicyError(f"trip_after must be at least 1, not {trip_after}")
        if not 0 < probe_s <= max_probe_s:
            raise PolicyError(f"probe_s must be positive and at most max_probe_s, not {probe_s}")
        if not patience_s > 0:
            raise PolicyError(f"patience_s must be positive, not {patience_s}")
        self._trip_after = trip_after
        self._first_pause_s = probe_s
        self._max_pause_s = max_probe_s
        self._patience_s = patience_s
        self._uniform = uniform
        self.state: ParkingState = "closed"
        self.window = ReleaseWindow()
        self.period = 0
        self.in_flight = 0
        """Calls let through in this period, unless it is closed."""
        self.due = 0.0
        """Open: when to probe. Half open: when silence means trouble."""
        self.pause_s = probe_s
        """How long the pause between probes is, but for chance."""
        self.trips = 0
        self.probes = 0
        self._failures = 0  # in a row
        self._in_flight_before = 1  # when they began

    def has_room(self, now: float) -> bool:
        """Return whether another call may go now."""
        if self.state == "open":
            return now >= self.due
        return self.in_flight < int(self.window.size)

    def let_through(self, now: float) -> int:
        """Count a call that goes now; return the period."""
        self.in_flight += 1
        if self.state == "open":
            self.probes += 1
            self.due = now + self._patience_s
        return self.period

    def look(self, now: float) -> None:
        """Open again if nothing was heard of the calls in flight for too long."""
        if self.state == "half_open" and self.in_flight and now >= self.due:
            self._open(now)

    def close(self) -> None:
        """Let calls go as they come."""
        self.state = "closed"
        self._failures = 0
        self._begin_period()

    def direct_success(self, latency_s: float) -> None:
        """Note a reply to a call that was let through while the gate was closed."""
        if self.state == "closed":
            self._failures = 0
            self.window.learn(latency_s)

    def direct_failure(self, in_flight: int, now: float) -> None:
        """Note a failure of one of ``in_flight`` such calls."""
        if self.state == "closed":
            if self._failures == 0:
                self._in_flight_before = in_flight
            self._failures += 1
            if self._failures >= self._trip_after:
                self._open(now)

    def success(self, latency_s: float, now: float) -> None:
        """Note a reply to a call of this period."""
        self.in_flight -= 1
        self._failures = 0
        if self.state == "open":
            self.state = "half_open"
            self.window.begin(self._in_flight_before)
        self.window.succeeded(latency_s)
        self.due = now + self._patience_s

    def failure(self, now: float) -> None:
        """Note a failure of a call of this period."""
        self.in_flight -= 1
        self._failures += 1
        if self.state == "open":
            self.pause_s = min(self._max_pause_s, 2 * self.pause_s)
            self._pause(now)
        elif self._failures >= self._trip_after:
            self._open(now)
        else:
            self.window.failed()
            self.due = now + self._patience_s

    def nothing(self, now: float) -> None:
        """Note that a call of this period told nothing; if it was a probe, another may go."""
        self.in_flight -= 1
        if self.state == "open":
            self.due = now

    def _open(self, now: float) -> None:
        self.state = "open"
        self.trips += 1
        self._begin_period()
        self.pause_s = self._first_pause_s
        self._pause(now)

    def _pause(self, now: float) -> None:
        self.due = now + self.pause_s * self._uniform(1 - _JITTER, 1 + _JITTER)

    def _begin_period(self) -> None:
        self.period += 1
        self.in_flight = 0
