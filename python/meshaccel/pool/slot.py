"""A place in the pool: a worker and what the event loop knows about it."""

from dataclasses import dataclass
from typing import Protocol

from meshaccel.pool.jobs import Job
from meshaccel.pool.stats import Counters
from meshaccel.pool.worker import Worker


class Keeper(Protocol):
    """Whoever lends a connection out and gets it back."""

    def take(self) -> "Slot | None":
        """Lend a connection that is free, with nobody waiting for it."""

    async def wait(self, within: float | None) -> "Slot":
        """Wait for a connection, in order of arrival."""

    def give_back(self, slot: "Slot") -> None:
        """Take a connection back, with no work pending on it. Never waits."""


@dataclass(eq=False, slots=True)
class Slot:
    """A connection of the pool.

    Attributes:
        expires: when it has lived long enough.
        idle_since: when it was used last.
        pending: jobs of the present user that have not ended.
        counters: where jobs are counted that did not go through the shared queue.
        keeper: who gets it back as soon as nothing is pending; None while it is in use.
        managed: whether an open transaction is the pool's own doing, and not a user's neglect.
        lost: whether an error ended that transaction; written in the worker's thread.
    """

    worker: Worker
    counters: Counters
    expires: float
    idle_since: float
    pending: int = 0
    keeper: Keeper | None = None
    managed: bool = False
    lost: bool = False

    def job_done(self, job: Job) -> None:
        """Note the end of a job, which may be what the return of the connection waited for."""
        self.pending -= 1
        self.counters.hops += 1
        self.counters.interrupts += job.interrupted
        if self.pending == 0 and self.keeper is not None:
            keeper, self.keeper = self.keeper, None
            keeper.give_back(self)

    def release(self, keeper: Keeper) -> None:
        """Give the connection back, as soon as the worker has let go of what was cancelled."""
        if self.pending:
            self.keeper = keeper
        else:
            keeper.give_back(self)
