"""What the change feed saves: its readers' calls and bytes, beside those of polling."""

from msgspec import Struct

from meshaccel.discovery.protocol import Changes, Gone, Upsert
from meshaccel.timings import Histogram, Timings

POLL_S = 5.0
"""How often a reader without a feed would ask for the list: as often as agents' SDKs call the
registry. A reader who waits here is told within ``FeedSettings.gather_s``, so this is lenient."""


class FeedStats(Struct, frozen=True, kw_only=True):
    """What readers of the feed asked and were told since the start."""

    readers: int
    """Requests and streams that wait now."""
    calls: int
    """Requests and streams that were answered; what came with a heartbeat took no call."""
    polls: float
    """Calls that polling would have taken: for each answer one, or one in ``POLL_S`` of the time
    that its reader waited for it, if that is more."""
    documents: int
    """Documents of agents that were sent."""
    bytes: int
    """What they took, as JSON, without envelopes and compression."""
    polled_bytes: int
    """What polling would have taken: ``polls``, each with the documents of all agents that the
    reader's selector selects, of the average size of those sent."""
    lag: Histogram
    """From the commit that woke a waiting reader until its answer was there, gathering included."""

    @property
    def calls_avoided_percent(self) -> float | None:
        """How many of ``polls`` were not made, in percent; None before the first."""
        return 100 * max(0.0, 1 - self.calls / self.polls) if self.polls else None

    @property
    def bytes_avoided(self) -> int | None:
        """How many of ``polled_bytes`` were not sent; None before the first call."""
        return max(0, self.polled_bytes - self.bytes) if self.polls else None


class Readership:
    """Counts answers. Touched in the event loop only."""

    def __init__(self) -> None:
        self._calls = 0
        self._polls = 0.0
        self._documents = 0
        self._bytes = 0
        self._polled_bytes = 0.0
        self._lag = Timings()

    def called(self) -> None:
        """Count a request or a stream."""
        self._calls += 1

    def told(self, answer: Changes | Gone, *, waited_s: float, selected: int) -> None:
        """Count an answer to a reader who waited for it, and selects so many agents."""
        if isinstance(answer, Changes):
            for item in answer.items:
                if isinstance(item, Upsert):
                    self._documents += 1
                    self._bytes += len(memoryview(item.agent))
        polls = max(1.0, waited_s / POLL_S)
        self._polls += polls
        if self._documents:
            self._polled_bytes += polls * selected * self._bytes / self._documents

    def lagged(self, seconds: float) -> None:
        """Note how long a commit took to reach a reader who waited."""
        self._lag.observe(seconds)

    def stats(self, readers: int) -> FeedStats:
        """Return what was counted so far."""
        return FeedStats(
            readers=readers,
            calls=self._calls,
            polls=round(self._polls, 1),
            documents=self._documents,
            bytes=self._bytes,
            polled_bytes=round(self._polled_bytes),
            lag=self._lag.snapshot(),
        )
