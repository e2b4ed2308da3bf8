"""What agents are told: the signal of a heartbeat, and the wiring in the answer to a registration.

An agent is signalled if its wiring now is not the one it was last told. Both are compared by
digest, so nothing depends on clocks, and an agent is woken by a change of its own wiring only.
"""

import enum
import sqlite3

from msgspec import Struct

from meshaccel.clock import Clock
from meshaccel.db import leases
from meshaccel.db.touched import Touch
from meshaccel.errors import DatabaseError, RegistrationRejectedError, UnknownAgentError
from meshaccel.registry.changes import FLEET, told_tag
from meshaccel.registry.commits import Commits
from meshaccel.registry.derived import Derived
from meshaccel.registry.following import Follower
from meshaccel.registry.liveness import Liveness
from meshaccel.registry.pages import Listings
from meshaccel.registry.resolution import Wiring
from meshaccel.registry.sessions import Session, Sessions
from meshaccel.registry.telling import CurrentWiring


class Signal(enum.Enum):
    """What a heartbeat tells an agent."""

    UNCHANGED = "its wiring is what it was last told"
    CHANGED = "its wiring is another one: it should register again to be told"
    UNKNOWN = "it is not registered or was taken for dead: it must register again"


class Answer(Struct, frozen=True):
    """What a registration tells an agent."""

    agent_id: str
    wiring: Wiring
    body: bytes
    """The wiring as a JSON object."""
    warnings: tuple[str, ...] = ()


class Heartbeats:
    """Notes signs of life and answers them."""

    def __init__(  # noqa: PLR0913 - the parts it brings together
        self,
        derived: Derived,
        sessions: Sessions,
        listings: Listings,
        *,
        commits: Commits,
        follower: Follower,
        liveness: Liveness,
        clock: Clock,
    ) -> None:
        self._commits = commits
        self._follower = follower
        self._derived = derived
        self._sessions = sessions
        self._listings = listings
        self._liveness = liveness
        self._clock = clock

    def signal_at_once(self, agent_id: str) -> Signal | None:
        """Note a sign of life; None if what it signals has to be read: see ``signal``."""
        signal = self._known_signal(agent_id)
        if signal is None or signal is Signal.UNCHANGED:
            return signal
        try:
            # It may have registered, or been told, elsewhere: nobody is woken for nothing.
            news = self._follower.look()
        except DatabaseError:
            return None
        return self._known_signal(agent_id) if news else signal

    async def signal(self, agent_id: str) -> Signal:
        """Note a sign of life; tell whether the agent's own wiring has changed."""
        await self._follower.catch_up()
        signal = self._known_signal(agent_id)
        if signal is not None:
            return signal
        try:
            wiring = await self._derived.wiring(agent_id)
        except UnknownAgentError:
            return Signal.UNKNOWN
        except RegistrationRejectedError:
            # Too large to be told: the answer to a registration says so.
            return Signal.CHANGED
        session = self._living(agent_id)
        return Signal.UNKNOWN if session is None else _signal(session, wiring)

    async def answer_again(self, body_digest: bytes) -> Answer | None:
        """Answer a request that is the very one behind an agent's present record, if it is.

        Reads one number if the agent's wiring is what it was last told.
        """
        if self._sessions.by_body(body_digest) is None:
            return None
        # It may have registered as something else elsewhere since: a stale yes would lose that.
        await self._follower.catch_up()
        session = self._sessions.by_body(body_digest)
        # One that goes back to what it was while another registration waits to be written is not
        # told "as before": the other would be written afterwards.
        if session is None or not session.healthy or self._commits.is_changing(session.agent_id):
            return None
        self._sessions.touch(session)
        wiring = self._derived.cached_wiring(session.agent_id)
        if wiring is not None and session.told_digest == wiring.digest:
            return _answer(session, wiring)
        return await self.answer(session.agent_id)

    async def answer(self, agent_id: str) -> Answer:
        """Tell an agent its wiring, and note that it was told.

        What others committed before the agent asked has been taken in: with the commit of its
        registration, or by ``answer_again``.

        Raises:
            UnknownAgentError: it is not registered (any more).
        """
        wiring = await self._derived.wiring(agent_id)
        session = self._sessions.get(agent_id)
        if session is None:
            raise UnknownAgentError(f"agent {agent_id} was removed meanwhile")
        if session.told_digest != wiring.digest:
            await self._note_news(session, wiring)
            await self._forget_told(session)
            if session.teller != self._sessions.me:
                # At the same time another registry told it something: what it knows is not certain.
                return _answer(session, wiring)
            self._sessions.tell(session, wiring.wiring, wiring.digest)
            self._listings.note_told(agent_id)
        elif session.told is None and self._derived.cached_wiring(agent_id) is not wiring:
            # Another process told it the same, and the fleet has changed since this was read: what
            # was listed meanwhile may show what it would be told by now.
            self._listings.note_told(agent_id)
        session.told = wiring.wiring
        return _answer(session, wiring)

    async def _note_news(self, session: Session, wiring: CurrentWiring) -> None:
        record = await self._derived.agent(session.agent_id)
        fleet = self._derived.fleet_at_once(record.tools)
        fleet = fleet or await self._derived.fleet([record.tools])
        news = session.trail.wiring_events(
            record, session.told, wiring.wiring, fleet, now_us=self._clock.now_us()
        )
        self._liveness.note(news)

    async def _forget_told(self, session: Session) -> None:
        """See to it that nobody takes what an agent was told before for what it knows.

        What it is told now is written with the next signs of life. Should the registry die in
        between, and the wiring be again what it had been, the agent would not be signalled. And
        another registry that told it something is not to write that any more.
        """
        # From now on, so that a batch written meanwhile does not bring it back either.
        session.told_digest, session.told_unwritten = None, False
        agent_id, me = session.agent_id, self._sessions.me
        self._listings.note_told(agent_id)
        if session.stored_digest is None and session.teller == me:
            return

        def begin(conn: sqlite3.Connection) -> list[Touch]:
            leases.begin_telling(conn, agent_id, me)
            return [Touch(agent_id, (FLEET, told_tag(agent_id)))]

        await self._commits.note(begin, lambda: self._sessions.take_over_telling(session))

    def _known_signal(self, agent_id: str) -> Signal | None:
        """Note a sign of life; tell what it signals as far as memory knows."""
        session = self._living(agent_id)
        if session is None:
            return Signal.UNKNOWN
        self._sessions.touch(session)
        wiring = self._derived.cached_wiring(agent_id)
        return None if wiring is None else _signal(session, wiring)

    def _living(self, agent_id: str) -> Session | None:
        """Return the session of an agent that lives by heartbeats, and does."""
        session = self._sessions.get(agent_id)
        return session if session and session.healthy and session.leased else None


def _answer(session: Session, wiring: CurrentWiring) -> Answer:
    return Answer(session.agent_id, wiring.wiring, wiring.body, session.warnings)


def _signal(session: Session, wiring: CurrentWiring) -> Signal:
    return Signal.UNCHANGED if session.told_digest == wiring.digest else Signal.CHANGED
