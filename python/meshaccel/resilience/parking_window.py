"""How many calls at once a dependency gets that has just come back."""

SLOW = 3.0
"""A reply that takes so many times as long as usual says that calls queue over there."""

_SLOW_CUT = 0.1
_FAILURE_CUT = 0.5
_MEMORY = 256
_FEW = 16
_DOUBT = 1.02


class ReleaseWindow:
    """A congestion window, as TCP has: slow start, then additive increase.

    It begins with one call, doubles with each window's worth of replies up to half of what was in
    flight when the trouble began, and then grows by one. A window's worth of slow replies takes a
    tenth off it, one of failures half; so a dependency is kept below the point where its queue
    builds up (delay-based, as in TCP Vegas), and not at the point where it breaks.

    What is usual is the mean over some 256 replies in good times, to which a very slow one adds
    no more than one that just counts as slow. If even one call at a time is answered slowly, then
    what was usual is doubted, two per cent with each reply: a dependency may come back slower than
    it was, and would never be given more than one call otherwise.
    """

    __slots__ = ("_replies", "_threshold", "size", "usual_s")

    def __init__(self) -> None:
        self.size = 1.0
        """Calls that may be in flight; the fraction is on its way to the next."""
        self.usual_s = 0.0
        """How long a reply takes in good times, in seconds; 0 as long as there was none."""
        self._replies = 0
        self._threshold = 2.0

    def learn(self, latency_s: float) -> None:
        """Note a reply in good times."""
        if self._replies < _MEMORY:
            self._replies += 1
        usual = self.usual_s
        if self._replies > 1 and latency_s > SLOW * usual:
            latency_s = SLOW * usual
        self.usual_s = usual + (latency_s - usual) / self._replies

    def begin(self, in_flight_before: int) -> None:
        """Start with one call, ``in_flight_before`` the trouble."""
        self.size = 1.0
        self._threshold = max(2.0, in_flight_before / 2)

    def succeeded(self, latency_s: float) -> None:
        """Note a reply to a call that the window let through."""
        if self._replies < _FEW:
            # There were hardly any good times yet: then the fastest reply is usual.
            self.usual_s = min(self.usual_s, latency_s) if self._replies else latency_s
            self._replies += 1
        if latency_s > SLOW * self.usual_s:
            if self.size <= 1.0:
                self.usual_s *= _DOUBT
            self._cut(_SLOW_CUT)
        elif self.size < self._threshold:
            self.size += 1.0
        else:
            self.size += 1.0 / self.size

    def failed(self) -> None:
        """Note a failure of a call that the window let through."""
        self._cut(_FAILURE_CUT)

    def _cut(self, share: float) -> None:
        # Off the share of one call: all calls of a window together take the share of it.
        self.size = max(1.0, self.size - share)
        self._threshold = self.size
