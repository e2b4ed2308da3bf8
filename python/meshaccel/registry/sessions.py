"""The living side of the fleet: who was heard when, and what each agent was last told."""

from collections.abc import Iterable, Iterator

from meshaccel.clock import Clock
from meshaccel.db.leases import Beat, StoredSession
from meshaccel.registry.audit import Trail
from meshaccel.registry.resolution import Wiring

_NOTHING = Wiring(dependencies_resolved={}, llm_tools={})


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
        "told",
        "told_digest",
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
        self.body_digest: bytes | None = None
        """Digest of the request body that led to the present content."""
        self.warnings: tuple[str, ...] = ()
        self.told: Wiring | None = None
        """The wiring in the last answer, if this process gave it."""
        self.told_digest: bytes | None = None
        self.stored_digest: bytes | None = None
        """What the database may hold as ``told_digest``."""
        self.trail = Trail()

    def beat(self) -> Beat:
        """Return what is to be written of the last sign of life."""
        return Beat(self.agent_id, self.last_seen_us, self.told_digest)


class Sessions:
    """Every known agent's session, by id and by the body it last sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
            session.last_seen_us = row.last_seen_us
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
        self._unwritten[session.agent_id] = session

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

    def take_unwritten(self) -> list[Session]:
        """Return the sessions with signs of life since the last call, to be written."""
        taken, self._unwritten = self._unwritten, {}
        for session in taken.values():
            session.stored_digest = session.told_digest
        return list(taken.values())

    def put_unwritten(self, sessions: Iterable[Session]) -> None:
        """Take back what could not be written, except of agents that were removed since."""
        for session in sessions:
            if self._by_id.get(session.agent_id) is session:
                self._unwritten[session.agent_id] = session
