"""Who waits for a dependency to come back, and whose turn it is."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from meshaccel.resilience.parking_permit import ParkingPermit

_OLDEST_PER_CENT = 15
_ALL_PER_CENT = 100
_SLACK = 64


@dataclass(eq=False, slots=True)
class Parked:
    """A call that waits, until ``deadline`` in seconds of the breaker's clock."""

    future: asyncio.Future[ParkingPermit]
    deadline: float


class Lanes:
    """Two ways out of one queue.

    The newest call goes first, for whoever made it is still waiting, and fresh calls see little
    of a backlog; but of a hundred, 15 go to the call whose deadline is next, as the oldest would
    never leave otherwise. With equal timeouts that is the oldest.

    ``add``, ``take``, ``discard`` and ``expired`` are O(log n), amortised, in the number of calls.
    """

    def __init__(self) -> None:
        self._by_arrival: dict[Parked, None] = {}
        # Calls that left are dropped when they come up, or when they are more than half.
        self._by_deadline: list[tuple[float, int, Parked]] = []
        self._arrivals = 0
        self._turn = 0

    def __len__(self) -> int:
        return len(self._by_arrival)

    @property
    def next_deadline(self) -> float:
        """When the first call runs out of time; infinity if none does."""
        self._drop_gone()
        return self._by_deadline[0][0] if self._by_deadline else float("inf")

    def add(self, parked: Parked) -> None:
        """Queue a call."""
        self._arrivals += 1
        self._by_arrival[parked] = None
        heappush(self._by_deadline, (parked.deadline, self._arrivals, parked))

    def discard(self, parked: Parked) -> bool:
        """Take out a call; return whether it was still there."""
        if parked not in self._by_arrival:
            return False
        del self._by_arrival[parked]
        self._tidy()
        return True

    def take(self) -> Parked | None:
        """Take out the call whose turn it is, passing over those that were cancelled."""
        while self._by_arrival:
            self._turn += _OLDEST_PER_CENT
            if self._turn >= _ALL_PER_CENT:
                self._turn -= _ALL_PER_CENT
                self._drop_gone()
                parked = heappop(self._by_deadline)[2]
                del self._by_arrival[parked]
            else:
                parked = self._by_arrival.popitem()[0]
                self._tidy()
            if not parked.future.done():
                return parked
        return None

    def expired(self, now: float) -> Iterator[Parked]:
        """Take out all calls that have run out of time."""
        while self.next_deadline <= now:
            parked = heappop(self._by_deadline)[2]
            del self._by_arrival[parked]
            yield parked

    def _drop_gone(self) -> None:
        heap = self._by_deadline
        while heap and heap[0][2] not in self._by_arrival:
            heappop(heap)

    def _tidy(self) -> None:
        if len(self._by_deadline) > 2 * len(self._by_arrival) + _SLACK:
            self._by_deadline = [
                entry for entry in self._by_deadline if entry[2] in self._by_arrival
            ]
            heapify(self._by_deadline)
