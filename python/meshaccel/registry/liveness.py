"""Who is alive: batches of signs of life, time-outs, retention."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from meshaccel.clock import Clock
from meshaccel.db import events, feed, leases, schemas
from meshaccel.db.database import Database
from meshaccel.db.events import Event
from meshaccel.db.touched import Touch
from meshaccel.errors import DatabaseError
from meshaccel.registry.changes import FLEET, Change, told_tag
from meshaccel.registry.commits import Commits
from meshaccel.registry.departures import Left, expire, leave, remove
from meshaccel.registry.following import Follower
from meshaccel.registry.sessions import Session, Sessions
from meshaccel.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

ALIVE_INTERVAL_S = 10.0
"""How often a registry notes that it is alive while none of its agents is."""

MAX_PENDING_EVENTS = 10_000
"""Events kept in memory while the database takes none; older ones are lost."""

REMOVALS_US = 24 * 3600 * 1_000_000
"""Microseconds for which it is remembered that an agent was removed."""

MAX_REMOVALS = 100_000
"""Removals that are remembered."""

AGENTS_PER_COMMIT = 50
"""Agents that leave in one transaction: others wait for the writer no longer than that."""

SPARE_SCHEMAS = 1000
"""Schemas that nobody may publish any more, before anyone looks for such."""

TICK_S = 1.0
STALL_S = 2.0
"""How late a timer may be before that counts as not having run."""


class Liveness:
    """Keeps leases: in memory at once, in the database in batches.

    Several registries do so on one database. An agent is silent if none of them heard it.
    """

    def __init__(
        self,
        database: Database,
        commits: Commits,
        follower: Follower,
        sessions: Sessions,
        settings: RegistrySettings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._commits = commits
        self._follower = follower
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._events: list[Event] = []
        self._flushed = clock.monotonic()
        self._ticked = 0.0
        self._schemas = 0

    def note(self, happened: Iterable[Event]) -> None:
        """Add events that are written with the next batch."""
        self._events.extend(happened)

    async def run(self) -> None:
        """Flush, expire and sweep at their intervals, until cancelled."""
        settings = self._settings
        self._ticked = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            tasks.create_task(self._every(settings.flush_interval_s, self.flush))
            tasks.create_task(self._every(settings.check_interval_s, self.expire))
            tasks.create_task(self._every(settings.sweep_interval_s, self.sweep))

    async def flush(self) -> None:
        """Write the signs of life and the events since the last time, in one transaction.

        With nothing to write, the registry still gives a sign of its own life now and then.
        """
        now = self._clock.monotonic()
        idle = not self._sessions.unwritten and not self._events
        if idle and now < self._flushed + ALIVE_INTERVAL_S:
            return
        self._flushed = now
        taken = self._sessions.take_unwritten()
        beats = list(taken.values())
        happened, self._events = self._events, []
        now_us = self._clock.now_us()

        def write(conn: sqlite3.Connection) -> list[Touch]:
            leases.write_beats(conn, beats, now_us=now_us)
            events.append(conn, happened)
            # The listing shows what agents were told, whichever registry is asked.
            told = [beat.agent_id for beat in beats if beat.teller is not None]
            return [Touch(agent_id, (FLEET, told_tag(agent_id))) for agent_id in told]

        try:
            await self._commits.note(write)
        except (DatabaseError, asyncio.CancelledError):
            # Cancelled, it was most likely undone; an event noted twice is better than none.
            self._events = (happened + self._events)[-MAX_PENDING_EVENTS:]
            self._sessions.put_unwritten(taken)
            raise

    async def expire(self) -> int:
        """Mark agents unhealthy that are silent for too long; return how many."""
        await self._follower.catch_up()
        await self._ask(self._silent())
        # Those that no other registry has heard either.
        silent = self._silent()
        expired = 0
        for start in range(0, len(silent), AGENTS_PER_COMMIT):
            some = silent[start : start + AGENTS_PER_COMMIT]
            # Meanwhile one of them may have been heard, or have come back.
            still = [session for session in some if self._is_silent(session)]
            known = {session.agent_id: session.stored_seen_us for session in still}
            now_us = self._clock.now_us()
            expired += await self._let_leave(still, partial(expire, silent=known, now_us=now_us))
        return expired

    async def unregister(self, agent_id: str) -> None:
        """Take leave of an agent; one that is unknown or left already has none to take."""
        await self._follower.catch_up()
        session = self._sessions.get(agent_id)
        if session is not None:
            work = partial(
                leave, agent_ids=[agent_id], departure="unregister", now_us=self._clock.now_us()
            )
            await self._let_leave([session], work)

    async def sweep(self) -> int:
        """Trim what grows; remove agents gone for longer than retention and return how many."""
        await self._follower.catch_up()
        await self._database.write(self._trim)
        await self._forget_schemas()
        if not self._settings.retention_s:
            return 0
        gone_before = self._clock.monotonic() - self._settings.retention_s
        gone = [
            session.agent_id
            for session in self._sessions
            if not session.healthy and session.heard < gone_before
        ]
        for start in range(0, len(gone), AGENTS_PER_COMMIT):
            some = gone[start : start + AGENTS_PER_COMMIT]
            work = partial(remove, agent_ids=some, now_us=self._clock.now_us())
            await self._commits.run(work, self._removed, list)
        return len(gone)

    def _trim(self, conn: sqlite3.Connection) -> None:
        events.trim(conn, self._settings.max_events)
        feed.forget_removed(conn, before_us=self._clock.now_us() - REMOVALS_US, keep=MAX_REMOVALS)

    async def _forget_schemas(self) -> None:
        # As collectors of garbage do: once there are twice as many as were in use the last time,
        # so that it costs little for each that is published, and little is kept for nothing.
        if await self._database.read(schemas.count) > 2 * self._schemas + SPARE_SCHEMAS:
            await self._database.write(schemas.forget_unpublished)
            self._schemas = await self._database.read(schemas.count)

    def _silent(self) -> list[Session]:
        return [session for session in self._sessions if self._is_silent(session)]

    def _is_silent(self, session: Session) -> bool:
        dead_before = self._clock.monotonic() - self._settings.timeout_s
        return session.healthy and session.leased and session.heard < dead_before

    async def _ask(self, silent: Sequence[Session]) -> None:
        """Note what the other registries have heard of agents that are silent here."""
        if silent:
            ids = [session.agent_id for session in silent]
            written = await self._database.read(lambda conn: leases.last_seen_us(conn, ids))
            self._heard(written)

    def _heard(self, written: Mapping[str, int]) -> None:
        for agent_id, seen_us in written.items():
            session = self._sessions.get(agent_id)
            if session is not None:
                self._sessions.heard_elsewhere(session, seen_us)

    async def _let_leave(
        self, sessions: list[Session], work: Callable[[sqlite3.Connection], Left]
    ) -> int:
        leaving = [session for session in sessions if session.healthy]
        if not leaving:
            return 0
        for session in leaving:
            # Before the transaction: who beats from now on is sent to register, and that
            # registration queues behind the transaction.
            session.healthy = False

        def stay() -> None:
            for session in leaving:
                session.healthy = True

        left = await self._commits.run(work, self._left, lambda left: left.changes, stay)
        return len(left.changes)

    def _left(self, left: Left) -> None:
        for agent_id in left.heard:
            session = self._sessions.get(agent_id)
            if session is not None:
                session.healthy = True
        self._heard(left.heard)
        for change in left.changes:
            self._sessions.leave(change.agent_id)
            log.info("agent left", extra={"agent_id": change.agent_id})

    def _removed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._sessions.close(change.agent_id)
            log.info("agent removed", extra={"agent_id": change.agent_id})

    async def _every(self, interval_s: float, job: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            self._note_stall()
            name = getattr(job, "__name__", "job")
            try:
                await job()
            except DatabaseError as error:
                log.warning("will try again", extra={"job": name, "error": str(error)})
            except Exception:
                # A bug in one job must not end all of them: agents would never expire again.
                log.exception("will try again", extra={"job": name})

    async def _tick(self) -> None:
        """Wake up often, and wait for nothing else: being late means not having run."""
        while True:
            await asyncio.sleep(TICK_S)
            self._note_stall()

    def _note_stall(self) -> None:
        """Notice that this process did not run: suspended, say, with its agents unheard."""
        now = asyncio.get_running_loop().time()
        gap = now - self._ticked - TICK_S
        if gap > STALL_S:
            log.warning("the registry was not running", extra={"seconds": round(gap, 1)})
            self._sessions.postpone(gap)
        self._ticked = now
