"""The bounded set of connections and the queue of those who want one."""

import asyncio
from typing import Any

from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    PoolClosedError,
    PoolMisuseError,
)
from meshaccel.pool import process
from meshaccel.pool.connector import Connector
from meshaccel.pool.growth import PARALLEL, JobGrowth
from meshaccel.pool.jobs import Job, chase
from meshaccel.pool.leaks import Holder, report_leaks
from meshaccel.pool.mailbox import Mailbox
from meshaccel.pool.serving import Opening, Resetting, Serving
from meshaccel.pool.settings import Settings
from meshaccel.pool.slot import Slot
from meshaccel.pool.stats import Counters
from meshaccel.pool.waiters import Entry, Waiter, Waiting, handed_over
from meshaccel.pool.worker import Tally, Worker


class Connections:
    """Hands connections out: to users who keep them for a while, and to single jobs.

    Idle connections are handed out last in, first out, so that their caches are warm and the
    superfluous ones grow old; waiting users are served first in, first out. While someone waits
    nothing is idle, so nobody can overtake. A user who finds no idle connection makes the pool
    grow at once; jobs, which are short, only when they had to wait.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, connector: Connector
    ) -> None:
        self.loop = loop
        self.settings = settings
        self.connector = connector
        self.counters = Counters()
        self.mailbox = Mailbox(loop)
        self.waiting = Waiting(loop, self.exhausted)
        self.holders: dict[Slot, Holder] = {}
        self.slots: set[Slot] = set()
        self.reserved: Slot | None = None
        """The writer's, which will serve nobody else."""
        self.idle: list[Slot] = []
        self.opening: set[Slot] = set()
        self.closing = False
        self._finished = False
        self._generation = process.generation()
        self.emptied = asyncio.Event()
        self.workers: set[Worker] = set()
        self.past = Tally()
        self.serving: set[Slot] = set()
        self._growth = JobGrowth(self)

    def check(self) -> None:
        """Refuse what would go wrong in ways that are hard to find.

        Raises:
            PoolClosedError: the pool is closed.
            PoolMisuseError: this is another event loop, or a forked process.
        """
        if self.closing:
            raise PoolClosedError("the pool is closed")
        self.check_place()

    def check_place(self) -> None:
        """Refuse another event loop, and a forked process.

        Raises:
            PoolMisuseError: it is one.
        """
        if self._generation != process.generation():
            raise PoolMisuseError(
                "this pool was opened before the process forked: SQLite connections must not be"
                " used on both sides; open a pool in the child"
            )
        if asyncio.get_running_loop() is not self.loop:
            raise PoolMisuseError(
                "this pool was opened in another event loop: open one in each, and close it there"
            )

    def take(self) -> Slot | None:
        """Lend an idle connection; None if there is none."""
        now = self.settings.clock()
        while self.idle:
            slot = self.idle.pop()
            if slot.expires <= now:
                self.counters.expired += 1
                self.retire(slot)
                continue
            worker = slot.worker
            worker.heal = True
            worker.check = now - slot.idle_since > self.settings.check_after
            return slot
        return None

    async def wait(self, within: float | None) -> Slot:
        """Wait for a connection.

        Raises:
            ConnectionPoolExhausted: none ``within`` so many seconds, or too many wait already.
            DatabaseError: there is none, and none can be opened.
        """
        return await handed_over(self.ask(within), self.waiting, self)

    def ask(self, within: float | None) -> Waiter:
        """Queue for a connection. Raises ``ConnectionPoolExhausted`` if too many wait already."""
        waiter = Waiter(self.loop.create_future(), self.settings.clock())
        self.admit(self.waiting)
        self.waiting.add(waiter, within)
        if len(self.opening) < len(self.waiting):
            self.grow()
        return waiter

    def give_back(self, slot: Slot) -> None:
        """Take a connection back, and roll back what was left open on it."""
        slot.pending = 0
        if slot.worker.in_transaction:
            slot.worker.submit(Resetting(self, slot))
        else:
            self.freed(slot, None)

    async def perform(self, job: Job, within: float | None) -> Any:
        """Run a job on the next free connection.

        Raises:
            ConnectionPoolExhausted: none ``within`` so many seconds, or too many wait already.
        """
        self.check()
        job.queued = self.settings.clock()
        slot = self.take() if len(self.serving) < PARALLEL else None
        if slot is not None:
            self._serve(slot, job)
        else:
            self.admit(self.waiting)
            self.waiting.add(job, within)
            if self.slots <= {self.reserved} and not self.opening:
                self.grow()
            self._growth.watch()
        try:
            return await job.future
        except asyncio.CancelledError:
            self.give_up(job, self.waiting)
            raise

    def give_up(self, job: Job, waiting: Waiting) -> None:
        """Take a job that was cancelled out of its queue, or interrupt it."""
        if waiting.discard(job):
            waiting.cancelled += 1
        else:
            chase(self.loop, job)

    def job_done(self, job: Job) -> None:
        """Count a job that had its connection only for itself."""
        self.counters.hops += 1
        self.counters.interrupts += job.interrupted
        self.counters.wait.observe(job.started - job.queued)
        self.counters.use.observe(job.ended - job.started)

    def grow(self) -> None:
        """Open one more connection, if the bound allows it."""
        if self.closing and not self.waiting:
            return
        if len(self.slots) + len(self.opening) >= self.settings.max_connections:
            return
        now = self.settings.clock()
        worker = Worker(self.connector, self.mailbox, self.settings.clock, self._ended)
        slot = Slot(worker, self.counters, now + self.settings.lifetime(), now)
        try:
            worker.start()
        except RuntimeError as error:  # the system has no more threads
            self.opened(slot, DatabaseError(f"cannot open a connection: {error}"))
            return
        self.workers.add(worker)
        self.opening.add(slot)
        worker.submit(Opening(self, slot))

    def opened(self, slot: Slot, error: BaseException | None) -> None:
        """Put a new connection to use."""
        self.opening.discard(slot)
        if error is None:
            self.slots.add(slot)
            self.counters.opened += 1
            self.freed(slot, None)
            return
        slot.worker.stop()
        if self.slots <= {self.reserved} and not self.opening:
            # Nobody will ever be served: the database cannot be opened.
            self.waiting.fail_all(lambda: error)
        self._note_emptied()

    def freed(self, slot: Slot, entry: Entry | None) -> None:
        """Give a connection to ``entry`` or whoever else is next, or let it idle."""
        self.serving.discard(slot)
        now = self.settings.clock()
        worker = slot.worker
        if worker.in_transaction is None or worker.stopping or slot.expires <= now:
            self._replace(slot, entry, now)
            return
        while True:
            entry = entry or self.waiting.pop()
            if entry is None:
                break
            if not entry.future.done():
                self._serve(slot, entry)
                return
            entry = None
        if self.closing:
            self.retire(slot)
        else:
            slot.idle_since = now
            self.idle.append(slot)

    def retire(self, slot: Slot) -> None:
        """Close a connection that nobody uses; its thread ends in the background."""
        self.counters.closed += slot in self.slots
        self.slots.discard(slot)
        slot.worker.stop()
        self._note_emptied()

    def sweep(self) -> None:
        """Close what is too old or was idle for too long; report what is in use for too long."""
        settings = self.settings
        now = settings.clock()
        # The longest idle come first.
        for slot in tuple(self.idle):
            spare = len(self.slots) > settings.min_connections
            if slot.expires <= now or (spare and now - slot.idle_since > settings.idle_timeout):
                self.idle.remove(slot)
                self.counters.expired += 1
                self.retire(slot)
        for _ in range(settings.min_connections - len(self.slots) - len(self.opening)):
            self.grow()
        if settings.leak_after is not None:
            self.counters.leaks += report_leaks(self.holders.values(), now, settings.leak_after)

    def close_idle(self) -> None:
        """Close what nobody uses; the rest follows as it is given back."""
        while self.idle:
            self.retire(self.idle.pop())
        self._note_emptied()

    def dismiss(self) -> None:
        """Send away who waits, and take their connections from those who have one."""
        self._growth.stop()
        self.waiting.shut(lambda: PoolClosedError("the pool was closed"))
        for slot in (*self.slots, *self.opening):
            self.retire(slot)

    def finish(self) -> None:
        """Take letters only as long as there is a worker that may have an answer to give."""
        self._finished = True
        if not self.workers:
            self.mailbox.close()

    def exhausted(self, timeout: float, what: str = "no connection") -> ConnectionPoolExhausted:
        """Count a timeout, and return the error that says who has the connections."""
        self.counters.timeouts += 1
        return self._exhausted(f"{what} within {timeout:g} s")

    def admit(self, waiting: Waiting) -> None:
        """Refuse one more entry if the queue is full."""
        if len(waiting) >= self.settings.max_waiting:
            self.counters.rejected += 1
            raise self._exhausted(f"{len(waiting)} are waiting already")

    def _exhausted(self, what: str) -> ConnectionPoolExhausted:
        used = len(self.slots) - len(self.idle)
        now = self.settings.clock()
        holders = tuple(holder.describe(now) for holder in self.holders.values())
        hint = "" if self.settings.leak_after else "; leak_after=... would name who has them"
        return ConnectionPoolExhausted(
            f"{what}: {used} of {self.settings.max_connections} are in use,"
            f" {len(self.waiting)} more wait{hint}",
            holders,
        )

    def _serve(self, slot: Slot, entry: Entry) -> None:
        if isinstance(entry, Job):
            self.serving.add(slot)
            slot.worker.submit(Serving(self, slot, entry))
        else:
            slot.worker.heal = True
            entry.future.set_result(slot)

    def _replace(self, slot: Slot, entry: Entry | None, now: float) -> None:
        if slot.expires <= now:
            self.counters.expired += 1
        if entry is not None:
            self.waiting.put_back(entry)
        self.retire(slot)
        if self.waiting:
            self.grow()

    def _ended(self, worker: Worker) -> None:
        self.workers.discard(worker)
        self.past.add(worker.tally)
        if self._finished:
            self.finish()

    def _note_emptied(self) -> None:
        if not self.slots and not self.opening and not self.waiting:
            self.emptied.set()
