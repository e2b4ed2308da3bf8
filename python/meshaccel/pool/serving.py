"""What passes between the event loop and a worker that serves the shared queue."""

from dataclasses import dataclass
from typing import Protocol

from meshaccel.errors import MeshAccelError
from meshaccel.pool.jobs import Job
from meshaccel.pool.slot import Slot
from meshaccel.pool.waiters import Entry, Waiting
from meshaccel.pool.worker import Worker


class Owner(Protocol):
    """The queue's side in the event loop."""

    waiting: Waiting

    def freed(self, slot: Slot, entry: Entry | None) -> None:
        """A connection is free, and ``entry`` was taken from the queue to have it next."""


class Opener(Protocol):
    """Whoever has connections opened."""

    def opened(self, slot: Slot, error: BaseException | None) -> None:
        """A new connection is there, or is not."""


@dataclass(slots=True)
class Opening:
    """Open a connection, in its own thread."""

    owner: Opener
    slot: Slot
    error: BaseException | None = None

    def execute(self, worker: Worker) -> None:
        """Open it."""
        try:
            worker.open()
        except BaseException as error:  # noqa: BLE001 - on_connect is the user's; it goes there
            self.error = error
        worker.mailbox.post(self)

    def abandon(self, worker: Worker) -> None:
        """Say that it was not opened."""
        self.error = MeshAccelError("the pool was closed before the connection was open")
        worker.mailbox.post(self)

    def deliver(self) -> None:
        """Tell the owner."""
        self.owner.opened(self.slot, self.error)


@dataclass(slots=True)
class Resetting:
    """Roll back what a user left open."""

    owner: Owner
    slot: Slot

    def execute(self, worker: Worker) -> None:
        """Roll back; if that fails the connection counts as broken."""
        worker.reset(expected=self.slot.managed)
        worker.mailbox.post(self)

    def abandon(self, worker: Worker) -> None:
        """Nothing to do: closing the connection rolled it back."""
        worker.mailbox.post(self)

    def deliver(self) -> None:
        """Tell the owner."""
        self.owner.freed(self.slot, None)


@dataclass(slots=True)
class Serving:
    """Run a job, and then those that wait, until none is left.

    The worker takes the next job itself: with the loop in between it would idle for two changes
    of thread per job. As a letter it brings the last job, and whoever is next.
    """

    owner: Owner
    slot: Slot
    job: Job
    entry: Entry | None = None

    def execute(self, worker: Worker) -> None:
        """Serve the queue."""
        waiting = self.owner.waiting
        worker.heal = True
        while True:
            job = self.job
            worker.run(job)
            if job.error is not None:
                worker.heal = True
            if worker.in_transaction:
                worker.reset()
            if worker.broken or worker.stopping or job.ended >= self.slot.expires:
                break
            self.entry = following = waiting.pop()
            if type(following) is not Job:
                break
            worker.mailbox.post(job)
            self.job = following
            self.entry = None
        worker.mailbox.post(self)

    def abandon(self, worker: Worker) -> None:
        """Fail the job."""
        self.job.abandon(worker)

    def deliver(self) -> None:
        """Settle the last job; the connection goes on to the next user."""
        self.job.deliver()
        self.owner.freed(self.slot, self.entry)
