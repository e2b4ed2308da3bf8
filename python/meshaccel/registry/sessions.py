"""The living side of the fleet: who was heard when, and what each agent was last told.

An agent may speak with any of the registries on a database. Each one has a session of every agent:
what it heard and told itself, and what the database says of the others.
"""

import secrets
from collections.abc import Iterable, Iterator

from meshaccel.clock import Clock
from meshaccel.db.leases import Beat, StoredSession
from meshaccel.registry.audit import Trail
from meshaccel.registry.resolution import Wiring

_NOTHING = Wiring(dependencies_resolved={}, llm_tools={})


MAX_AGE_S = 5.0
"""The longest ago that news of a sign of life are taken to have happened. They are asked for when
an agent was not heard here for as long as would make it unhealthy, so that is how late its death
may be noticed, if the registry that heard it died with it."""


class Session:
    """One agent as this process hears it. Nothing here is content: losing it costs a POST."""

    __slots__ = (
        "agent_id",
        "body_digest",
        "healthy",
        "heard",
        "last_seen_us",
        "leased",
        "stored_digest",
        "stored_seen_us",
        "teller",
        "told",
        "told_digest",
        "told_unwritten",
        "trail",
        "warnings",
    )

    def __init__(self, agent_id: str, *, leased: bool) -> None:
        self.agent_id = agent_id
        self.leased = leased
        self.healthy = True
        self.heard = 0.0
        """Monotonic seconds of the last sign of life."""
        self.last_seen_us = 0
        self.stored_seen_us = 0
        """What the database was last known to hold as ``last_seen_us``."""
        self.body_digest: bytes | None = None
        """Digest of the request body that led to the present content."""
        self.warnings: tuple[str, ...] = ()
        self.told: Wiring | None = None
        """The wiring in the last answer, if this process gave it."""
        self.told_digest: bytes | None = None
        self.stored_digest: bytes | None = None
        """What the database may hold as ``told_digest``."""
        self.teller: int | None = None
        """The registry that, as the database has it, knows what the agent was last told."""
        self.told_unwritten = False
        """Whether ``told_digest`` is to be written."""
        self.trail = Trail()

    def beat(self) -> Beat:
        """Return what is to be written of the last sign of life."""
        if not self.told_unwritten:
            return Beat(self.agent_id, self.last_seen_us)
        return Beat(self.agent_id, self.last_seen_us, self.told_digest, self.teller)


class Sessions:
    """Every known agent's session, by id and by the body it last sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.me = secrets.randbits(62)
        """Names this registry in the database, for as long as it runs."""
        self._by_id: dict[str, Session] = {}
        self._by_body: dict[bytes, Session] = {}
        self._unwritten: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._by_id.values())

    def all(self) -> list[Session]:
        """Return every session, whatever is opened and closed meanwhile."""
        return list(self._by_id.values())

    def get(self, agent_id: str) -> Session | None:
        """Return the session of an agent, or None if it is unknown."""
        return self._by_id.get(agent_id)

    def last_seen_us(self, agent_ids: Iterable[str], *, unknown: int) -> list[int]:
        """Return the last signs of life of some agents, and ``unknown`` for one that is not."""
        find = self._by_id.get
        return [s.last_seen_us if (s := find(agent_id)) else unknown for agent_id in agent_ids]

    def told(self, agent_id: str) -> Wiring | None:
        """Return what an agent was last told; None if it was told by another process."""
        session = self._by_id.get(agent_id)
        if session is None or (session.told is None and session.told_digest is None):
            return _NOTHING
        return session.told

    def by_body(self, body_digest: bytes) -> Session | None:
        """Return the session whose present content came as this very request body."""
        return self._by_body.get(body_digest)

    def restore(
        self, stored: Iterable[StoredSession], *, alive_at_us: int | None, head_start_s: float
    ) -> None:
        """Take over from the registry that wrote ``stored`` and was last alive at the given time.

        Silence is counted up to that time and goes on from now, after a head start: nobody
        could be heard in between, and agents that found no registry back off before they
        try again.
        """
        now = self._clock.monotonic()
        for row in stored:
            session = Session(row.agent_id, leased=row.leased)
            session.healthy = row.status == "healthy"
            session.told_digest = session.stored_digest = row.wiring_digest
            session.teller = row.teller
            session.last_seen_us = session.stored_seen_us = row.last_seen_us
            silent_us = max(0, (alive_at_us or row.last_seen_us) - row.last_seen_us)
            session.heard = now - silent_us / 1_000_000 + head_start_s
            self._by_id[row.agent_id] = session

    def open(self, agent_id: str, *, leased: bool) -> Session:
        """Return the agent's session, new if need be, healthy and heard now."""
        session = self._by_id.get(agent_id)
        if session is None:
            session = self._by_id[agent_id] = Session(agent_id, leased=leased)
        session.leased = leased
        session.healthy = True
        self.touch(session)
        return session

    def touch(self, session: Session) -> None:
        """Note a sign of life; it is written with the next batch."""
        session.heard = self._clock.monotonic()
        session.last_seen_us = self._clock.now_us()
        self._unwritten[session.agent_id] = session

    def tell(self, session: Session, told: Wiring, digest: bytes) -> None:
        """Note what an agent is told; it is written with the next batch."""
        session.told, session.told_digest = told, digest
        session.told_unwritten = True
        self._unwritten[session.agent_id] = session

    def take_over_telling(self, session: Session) -> None:
        """Note that the database holds nothing of what the agent was told, and awaits our word."""
        session.teller = self.me
        session.told_digest = session.stored_digest = None
        session.told_unwritten = False

    def remember_body(self, session: Session, body_digest: bytes) -> None:
        """Let ``by_body`` find this session until its content changes."""
        self.forget_body(session)
        session.body_digest = body_digest
        self._by_body[body_digest] = session

    def forget_body(self, session: Session) -> None:
        """The next request body must be read, whatever it is."""
        if session.body_digest is not None:
            self._by_body.pop(session.body_digest, None)
            session.body_digest = None

    def leave(self, agent_id: str) -> None:
        """Note that an agent is unhealthy now."""
        session = self._by_id.get(agent_id)
        if session is None:
            return
        session.healthy = False
        self.forget_body(session)
        if not session.leased:
            # It gave no signs of life before: the time it stays listed begins now.
            self.touch(session)

    def follow(self, stored: StoredSession, *, changed: bool) -> None:
        """Take over what another registry wrote of an agent.

        ``changed`` says that its record or its health is another one, and that it was changed
        just now.
        """
        session = self._by_id.get(stored.agent_id)
        if session is None:
            session = self._by_id[stored.agent_id] = Session(stored.agent_id, leased=stored.leased)
        was_healthy, session.healthy = session.healthy, stored.status == "healthy"
        session.leased = stored.leased
        self.heard_elsewhere(session, stored.last_seen_us)
        # Whoever lives without heartbeats is listed for a while from now on.
        if changed and (session.healthy or (was_healthy and not session.leased)):
            session.heard = self._clock.monotonic()
        if changed:
            self.forget_body(session)
        if stored.teller != self.me:
            session.teller = stored.teller
            session.told_unwritten = False
            session.stored_digest = stored.wiring_digest
            if session.told_digest != stored.wiring_digest:
                session.told, session.told_digest = None, stored.wiring_digest

    def heard_elsewhere(self, session: Session, seen_us: int) -> bool:
        """Note what the database has as the last sign of life; return whether it is news.

        Silence goes by this process's own clock. That of the day says only how long ago the news
        happened, within bounds, as it may be set.
        """
        if seen_us == session.stored_seen_us:
            return False
        session.stored_seen_us = seen_us
        now_us = self._clock.now_us()
        if session.last_seen_us >= seen_us and session.last_seen_us <= now_us:
            # Older than what was heard here, and not because the clock was set back.
            return False
        ago_s = min(max(now_us - seen_us, 0) / 1_000_000, MAX_AGE_S)
        session.heard = max(session.heard, self._clock.monotonic() - ago_s)
        session.last_seen_us = seen_us
        return True

    def postpone(self, seconds: float) -> None:
        """Do not count time in which nobody could be heard as anybody's silence."""
        for session in self._by_id.values():
            session.heard += seconds

    def close(self, agent_id: str) -> None:
        """Forget an agent."""
        session = self._by_id.pop(agent_id, None)
        if session is not None:
            self.forget_body(session)
            self._unwritten.pop(agent_id, None)

    @property
    def unwritten(self) -> int:
        """How many sessions have signs of life that are not written."""
        return len(self._unwritten)

    def take_unwritten(self) -> dict[Session, Beat]:
        """Return the sessions with signs of life since the last call, and what is to be written."""
        taken = {session: session.beat() for session in self._unwritten.values()}
        self._unwritten = {}
        for session in taken:
            session.stored_seen_us = session.last_seen_us
            if session.told_unwritten:
                session.stored_digest, session.told_unwritten = session.told_digest, False
        return taken

    def put_unwritten(self, sessions: Iterable[Session]) -> None:
        """Take back what could not be written, except of agents that were removed since."""
        for session in sessions:
            if self._by_id.get(session.agent_id) is session:
                # Perhaps not necessary, and never wrong.
                session.told_unwritten = session.teller == self.me
                self._unwritten[session.agent_id] = session
