"""The one queue of all writes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from meshaccel.errors import ConnectionPoolExhausted, PoolClosedError
from meshaccel.pool.connections import Connections
from meshaccel.pool.groups import run_alone, run_group
from meshaccel.pool.jobs import Job
from meshaccel.pool.serving import Resetting
from meshaccel.pool.slot import Slot
from meshaccel.pool.waiters import Entry, Waiter, Waiting, handed_over
from meshaccel.pool.worker import Worker

_MAX_GROUP = 256


class WriterLane:
    """Writes one after the other, in order of arrival, on one connection.

    SQLite has one writer at a time. Two connections that want to write would poll for the lock,
    with pauses that favour whoever came last; a queue in front of a single connection costs
    nothing and is fair. Once something was written the lane keeps its connection, so that no
    number of readers can keep the writer out. It counts as one of the pool's; in a pool of one
    it goes back after every round.
    """

    def __init__(self, connections: Connections) -> None:
        self.waiting = Waiting(connections.loop, self._too_late)
        self.slot: Slot | None = None
        self.idle = True
        self._connections = connections
        self._claim: asyncio.Future[Slot] | None = None

    @property
    def shared(self) -> bool:
        """Whether readers need the connection too."""
        return self._connections.settings.max_connections == 1

    def take(self) -> Slot | None:
        """Lend the writer's connection if nobody uses it."""
        slot = self.slot
        if slot is None or not self.idle or self._unusable(slot):
            return None
        self._begin(slot)
        return slot

    async def wait(self, within: float | None) -> Slot:
        """Wait for the writer's connection.

        Raises:
            ConnectionPoolExhausted: not ``within`` so many seconds, or too many wait already.
            DatabaseError: no connection can be opened.
        """
        waiter = Waiter(self._connections.loop.create_future(), self._connections.settings.clock())
        self._queue(waiter, within)
        return await handed_over(waiter, self.waiting, self)

    def give_back(self, slot: Slot) -> None:
        """Take the connection back, and roll back what was left open on it."""
        slot.pending = 0
        if slot.worker.in_transaction:
            slot.worker.submit(Resetting(self, slot))
        else:
            self.freed(slot, None)

    async def perform(self, job: Job, within: float | None) -> Any:
        """Run a job in a write transaction, and return when it is committed.

        Raises:
            ConnectionPoolExhausted: its turn did not come ``within`` so many seconds, or too
                many wait already.
        """
        self._connections.check()
        job.queued = self._connections.settings.clock()
        slot = self.take()
        if slot is not None:
            slot.worker.submit(_Writing(self, slot, [job]))
        else:
            self._queue(job, within)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._connections.give_up(job, self.waiting)
            raise

    def freed(self, slot: Slot, entry: Entry | None) -> None:
        """Go on with ``entry`` or whoever is next, or rest."""
        if self.shared and self._connections.waiting:
            # Others wait for the same connection: after each round it is their turn.
            if entry is not None:
                self.waiting.put_back(entry)
            self._return(slot)
            if self.waiting:
                self._start()
        else:
            self._go_on(slot, entry)

    async def close(self) -> None:
        """Give the connection back, now or as soon as what is queued is written."""
        if self._claim is not None:
            await asyncio.wait([self._claim])
        if self.idle and self.slot is not None:
            self._return(self.slot)

    def dismiss(self) -> None:
        """Send away who waits."""
        self.waiting.shut(lambda: PoolClosedError("the pool was closed"))

    def sweep(self) -> None:
        """Give back a connection that was idle for long, or that is too old."""
        slot, settings = self.slot, self._connections.settings
        if slot is None or not self.idle:
            return
        now = settings.clock()
        if now - slot.idle_since > settings.idle_timeout or slot.expires <= now:
            self._return(slot)

    def _too_late(self, timeout: float) -> Exception:
        return self._connections.exhausted(timeout, "the writer was not free")

    def _queue(self, entry: Entry, timeout: float | None) -> None:
        self._connections.admit(self.waiting)
        self.waiting.add(entry, timeout)
        self._start()

    def _start(self) -> None:
        if self.slot is not None and self.idle:
            self._begin(self.slot)
            self._go_on(self.slot, None)
        elif self.slot is None and self._claim is None:
            self._borrow()

    def _borrow(self) -> None:
        # No task, which whoever cancels all tasks of the loop would cancel, too.
        slot = self._connections.take()
        if slot is not None:
            self._have(slot)
            return
        try:
            self._claim = self._connections.ask(None).future
        except ConnectionPoolExhausted as error:
            failed = error
            self.waiting.fail_all(lambda: failed)
        else:
            self._claim.add_done_callback(self._claimed)

    def _claimed(self, claim: "asyncio.Future[Slot]") -> None:
        self._claim = None
        error = claim.exception()
        if error is None:
            self._have(claim.result())
        else:
            self.waiting.fail_all(lambda: error)

    def _have(self, slot: Slot) -> None:
        self.slot = self._connections.reserved = slot
        self.idle = False
        self._go_on(slot, None)

    def _go_on(self, slot: Slot, entry: Entry | None) -> None:
        while True:
            entry = entry or self.waiting.pop()
            if entry is None:
                self._rest(slot)
                return
            if not entry.future.done():
                break
            entry = None
        if self._unusable(slot):
            self.waiting.put_back(entry)
            self._return(slot)
            if self.waiting:
                self._start()
        elif isinstance(entry, Job):
            slot.worker.submit(_Writing(self, slot, [entry]))
        else:
            slot.worker.heal = True
            entry.future.set_result(slot)

    def _begin(self, slot: Slot) -> None:
        settings = self._connections.settings
        self.idle = False
        slot.worker.heal = True
        slot.worker.check = settings.clock() - slot.idle_since > settings.check_after

    def _rest(self, slot: Slot) -> None:
        self.idle = True
        slot.idle_since = self._connections.settings.clock()
        if self.shared or self._connections.closing or self._unusable(slot):
            self._return(slot)

    def _return(self, slot: Slot) -> None:
        self.slot = self._connections.reserved = None
        self.idle = True
        self._connections.freed(slot, None)

    def _unusable(self, slot: Slot) -> bool:
        worker = slot.worker
        return (
            worker.in_transaction is None
            or worker.stopping
            or slot.expires <= self._connections.settings.clock()
        )


@dataclass(slots=True)
class _Writing:
    """Write a job, and then those that wait, until none is left.

    As a letter it brings the last jobs, and whoever is next.
    """

    lane: WriterLane
    slot: Slot
    group: list[Job]
    following: Entry | None = None

    def execute(self, worker: Worker) -> None:
        """Serve the queue, in groups as far as its order allows."""
        waiting = self.lane.waiting
        following: Entry | None = None
        while True:
            group = self.group
            if group[0].grouped:
                following = self._fill(group)
                worker.heal = True
                run_group(worker, group)
            else:
                worker.heal = True
                run_alone(worker, group[0])
            if worker.in_transaction:
                worker.reset()
            following = following or waiting.pop()
            if type(following) is not Job or not self._may_go_on(worker):
                break
            worker.mailbox.post(*group)
            self.group = [following]
            following = None
        self.following = following
        worker.mailbox.post(self)

    def abandon(self, worker: Worker) -> None:
        """Fail the job."""
        self.group[0].abandon(worker)

    def deliver(self) -> None:
        """Settle the last jobs; the connection goes on to whoever is next."""
        for job in self.group:
            job.deliver()
        self.lane.freed(self.slot, self.following)

    def _fill(self, group: list[Job]) -> Entry | None:
        """Add what waits and may share the transaction; return what was taken and may not."""
        while len(group) < _MAX_GROUP:
            following = self.lane.waiting.pop()
            if type(following) is not Job or not following.grouped:
                return following
            group.append(following)
        return None

    def _may_go_on(self, worker: Worker) -> bool:
        return not (self.lane.shared or worker.broken or worker.stopping)
