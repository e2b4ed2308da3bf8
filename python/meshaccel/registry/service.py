"""The use cases of a registry: register, heartbeat, unregister, list, look up."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Literal, Self

from msgspec import Struct

from meshaccel.clock import Clock, SystemClock
from meshaccel.db import agents, census, events, leases, schemas, touched
from meshaccel.db.census import Census
from meshaccel.db.counting import BACKGROUND, operation
from meshaccel.db.database import Database
from meshaccel.db.events import Event, EventQuery
from meshaccel.db.leases import StoredSession
from meshaccel.db.listing import AgentQuery
from meshaccel.db.schemas import StoredSchema
from meshaccel.errors import RegistrationRejectedError
from meshaccel.models import Agent, AgentRecord
from meshaccel.registry import registration
from meshaccel.registry.changes import Change
from meshaccel.registry.commits import Commits
from meshaccel.registry.declared import ToolReader
from meshaccel.registry.derived import Derived
from meshaccel.registry.feed import Feed
from meshaccel.registry.following import Follower
from meshaccel.registry.heartbeats import Answer, Heartbeats, Signal
from meshaccel.registry.liveness import Liveness
from meshaccel.registry.pages import Listed, Listings, Page
from meshaccel.registry.records import Record
from meshaccel.registry.registration import Declaration, Memory, ReadDeclaration, Registered
from meshaccel.registry.resolution import Wiring, demand_of
from meshaccel.registry.served import Served
from meshaccel.registry.sessions import Sessions
from meshaccel.registry.settings import RegistrySettings
from meshaccel.registry.stats import RegistryStats

log = logging.getLogger(__name__)

DEFAULT_DATABASE = "meshaccel.db"


class Imported(Struct, frozen=True):
    """The outcome of ``put_agent``."""

    agent_id: str
    outcome: Literal["created", "updated", "unchanged"]


class AgentRegistry:
    """A registry of agents, in this process. Several may share a database file.

    ::

        async with await AgentRegistry.open("agents.db") as registry:
            answer = await registry.register(Declaration(agent_id="a", tools=(...,)))
            signal = await registry.heartbeat("a")

    Bound to the event loop it was opened in. Every method that reads or writes raises
    ``DatabaseError`` if the database cannot serve it now.
    """

    def __init__(self, database: Database, settings: RegistrySettings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._served = Served()
        self._sessions = Sessions(clock)
        self._derived = Derived(database)
        self.tools = ToolReader(self._derived.records)
        """Reads the tools of declarations that are ``register``-ed often."""
        self._listings = Listings(self._derived, self._sessions)
        self._follower = Follower(database, self._derived, self._sessions, self._wake)
        self.feed = Feed(database, settings.feed, self._served, self._follower.catch_up)
        """Tells what changed, to whoever asks: ``IncrementalServiceDiscovery``, for one."""
        self._commits = Commits(
            database, self._derived, self._follower, self._wake, self._sessions.me
        )
        self._liveness = Liveness(
            database, self._commits, self._follower, self._sessions, settings, clock
        )
        self._heartbeats = Heartbeats(
            self._derived,
            self._sessions,
            self._listings,
            commits=self._commits,
            follower=self._follower,
            liveness=self._liveness,
            clock=clock,
        )
        self._background: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        database: str = DEFAULT_DATABASE,
        *,
        settings: RegistrySettings | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Open the registry on a SQLite file (created or migrated as needed).

        Raises:
            IncompatibleDatabaseError: the file is another program's, or of a newer version.
            DatabaseError: the file cannot be opened.
        """
        opened = await Database.open(database)
        try:
            registry = cls(opened, settings or RegistrySettings(), clock or SystemClock())
            await registry._restore()
        except BaseException:
            await opened.close()
            raise
        registry._background = asyncio.create_task(registry._work())
        registry._background.add_done_callback(_report)
        return registry

    async def close(self) -> None:
        """Finish the changes under way, write the last signs of life, close the database."""
        self.feed.stop()
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait([self._background])
            self._background = None
            await self._commits.settle()
            try:
                await self._liveness.flush()
            finally:
                await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # -- what agents call ----------------------------------------------------------------

    async def register(
        self, declaration: Declaration | ReadDeclaration, *, body_digest: bytes | None = None
    ) -> Answer:
        """Bring an agent to what it declares; return what it is to know.

        ``body_digest`` identifies the request, for ``register_again``.

        Raises:
            InvalidRequestError: there is no agent_id.
            RegistrationRejectedError: a rule of the mesh is broken, and nothing was changed; or
                the agent is registered, but its wiring is too large to be told.
        """
        self._served.begin("register")
        now_us = self._clock.now_us()
        if not isinstance(declaration, ReadDeclaration):
            tools = [self.tools.of(tool) for tool in declaration.tools or () if tool]
            declaration = registration.with_tools(declaration, tools)

        memory = self._memory(declaration)

        def work(conn: sqlite3.Connection) -> Registered:
            registered = registration.register(
                conn, declaration, self._derived.records, memory=memory, now_us=now_us
            )
            if registered.created:
                # Nobody else has told it anything.
                leases.begin_telling(conn, registered.agent_id, self._sessions.me)
            return registered

        def committed(registered: Registered) -> None:
            session = self._sessions.open(registered.agent_id, leased=True)
            session.warnings = registration.warnings(declaration)
            if registered.created:
                self._sessions.take_over_telling(session)
            if body_digest is None:
                self._sessions.forget_body(session)
            else:
                self._sessions.remember_body(session, body_digest)
            _log(registered)

        self._check_room(declaration.agent_id)
        registered = await self._commits.run(work, committed, _changes, about=declaration.agent_id)
        return await self._heartbeats.answer(registered.agent_id)

    async def register_again(self, body_digest: bytes) -> Answer | None:
        """Answer the very request that led to an agent's present record, without reading it.

        None means: the request is another one, call ``register``. If the agent's wiring is
        what it was last told, this only looks whether anything was committed elsewhere.
        """
        operation.set("register")
        answer = await self._heartbeats.answer_again(body_digest)
        if answer is not None:
            self._served.at_once("register")
        return answer

    def heartbeat_at_once(self, agent_id: str) -> Signal | None:
        """Note a sign of life; None if what it signals must be read: call ``heartbeat``."""
        signal = self._heartbeats.signal_at_once(agent_id)
        if signal is not None:
            self._served.at_once("heartbeat")
        return signal

    async def heartbeat(self, agent_id: str) -> Signal:
        """Note a sign of life; tell whether the agent's own wiring has changed."""
        self._served.begin("heartbeat")
        return await self._heartbeats.signal(agent_id)

    async def unregister(self, agent_id: str) -> None:
        """Take leave of an agent: unhealthy at once, removed after retention."""
        self._served.begin("unregister")
        await self._liveness.unregister(agent_id)

    async def warm_up(self) -> None:
        """Read what answering heartbeats takes, so that none of the first has to wait for it.

        A few statements, O(agents).
        """
        await self._derived.warm_up()

    # -- what operators and programs call ------------------------------------------------

    async def put_agent(self, record: AgentRecord) -> Imported:
        """Keep a record that lives without heartbeats, until it is unregistered.

        Raises:
            InvalidRequestError: the record is malformed.
            RegistrationRejectedError: a living agent has this id, or a required cycle would
                close.
        """
        self._served.begin("put")

        def committed(registered: Registered) -> None:
            session = self._sessions.open(registered.agent_id, leased=False)
            self._sessions.forget_body(session)
            _log(registered)

        self._check_room(record.id)
        registered = await self._commits.run(
            partial(
                registration.put,
                record=record,
                records=self._derived.records,
                now_us=self._clock.now_us(),
            ),
            committed,
            _changes,
        )
        outcome: Literal["created", "updated", "unchanged"] = "unchanged"
        if registered.change is not None:
            outcome = "created" if registered.created else "updated"
        return Imported(record.id, outcome)

    async def get_agent(self, agent_id: str) -> Agent:
        """Return an agent with all it declared, as plain objects that are the caller's.

        Raises:
            UnknownAgentError: it is not registered.
        """
        return (await self.record(agent_id)).whole()

    async def record(self, agent_id: str) -> Record:
        """Return an agent as it is kept in memory. Reads nothing of it while it is there.

        Raises:
            UnknownAgentError: it is not registered.
        """
        self._served.begin("get")
        await self._follower.catch_up()
        return await self._derived.agent(agent_id)

    async def describe(self, record: Record) -> Listed:
        """Return an agent's entry in the listing."""
        return await self._listings.describe(record)

    async def list_agents(self, query: AgentQuery | None = None) -> Page:
        """Return the agents that match, in order of id: a few statements, whatever their number."""
        self._served.begin("list")
        await self._follower.catch_up()
        return await self._listings.page(query or AgentQuery())

    def last_seen_us(self, agent_id: str) -> int | None:
        """Return the last sign of life in Unix microseconds; None of an unknown agent."""
        session = self._sessions.get(agent_id)
        return None if session is None else session.last_seen_us

    def all_last_seen_us(self, agent_ids: Iterable[str], *, unknown: int) -> list[int]:
        """Return the last signs of life of some agents, and ``unknown`` for one that is not."""
        return self._sessions.last_seen_us(agent_ids, unknown=unknown)

    async def resolve(self, agent_id: str) -> Wiring:
        """Return what an agent would be told if it registered now.

        Raises:
            UnknownAgentError: it is not registered.
        """
        self._served.begin("resolve")
        await self._follower.catch_up()
        return (await self._derived.wiring(agent_id)).wiring

    async def events(self, query: EventQuery | None = None) -> list[Event]:
        """Return the newest matching events first."""
        self._served.begin("events")
        await self._liveness.flush()
        asked = query or EventQuery()
        return await self._database.read(lambda conn: events.latest(conn, asked))

    async def schemas(self, limit: int | None = None) -> list[StoredSchema]:
        """Return the newest ``limit`` canonical schemas that are published, or all.

        Some that were published once may be among them.
        """
        self._served.begin("schemas")
        return await self._database.read(lambda conn: schemas.schemas(conn, limit))

    async def schema(self, schema_hash: str) -> StoredSchema | None:
        """Return a canonical schema, or None."""
        self._served.begin("schemas")
        return await self._database.read(lambda conn: schemas.schema(conn, schema_hash))

    async def revision(self) -> int:
        """Return the revision of the last change."""
        self._served.begin("census")
        return await self._database.read(agents.revision)

    async def census(self) -> Census:
        """Return how many agents and capabilities the database holds, and its revision."""
        self._served.begin("census")
        return await self._database.read(census.census)

    def stats(self) -> RegistryStats:
        """Return what memory holds, how often it had the answer, and what the connections did."""
        # May be asked by another thread: a list is made in one step.
        healthy = [session.healthy for session in self._sessions.all()]
        return RegistryStats(
            agents=len(healthy),
            healthy=sum(healthy),
            operations=self._served.counts(self._database.statements),
            metadata=self._derived.records.stats(),
            caches=self._derived.stats(),
            database=self._database.stats(),
            recovery=self._database.recovery(),
            feed=self.feed.stats(),
        )

    # -- inside --------------------------------------------------------------------------

    def _check_room(self, agent_id: str | None) -> None:
        # Those under way are not counted: a few more than there may be do no harm.
        full = len(self._sessions) >= self._settings.max_agents
        if full and agent_id and self._sessions.get(agent_id) is None:
            raise RegistrationRejectedError(
                f"the registry is full: it has {len(self._sessions)} agents already"
            )

    def _memory(self, declaration: ReadDeclaration) -> Memory:
        wanted = demand_of(tool.defined for tool in declaration.tools).capabilities
        agent = self._derived.known_agent(declaration.agent_id or "")
        return Memory(agent, wanted, self._derived.known_offers(wanted))

    async def _restore(self) -> None:
        def read(conn: sqlite3.Connection) -> tuple[int, list[StoredSession], int | None]:
            return touched.last_seq(conn), leases.sessions(conn), leases.alive_at_us(conn)

        seq, stored, alive_at_us = await self._database.read(read)
        head_start_s = max(0.0, self._settings.startup_grace_s - self._settings.timeout_s)
        self._sessions.restore(stored, alive_at_us=alive_at_us, head_start_s=head_start_s)
        self._follower.start(seq)

    async def _work(self) -> None:
        operation.set(BACKGROUND)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._liveness.run())
            tasks.create_task(self._follower.run())

    def _wake(self) -> None:
        self.feed.wake()


def _report(background: asyncio.Task[None]) -> None:
    if not background.cancelled() and background.exception() is not None:
        log.critical("liveness stopped", exc_info=background.exception())


def _changes(registered: Registered) -> list[Change]:
    return [] if registered.change is None else [registered.change]


def _log(registered: Registered) -> None:
    if registered.change is not None:
        log.info(
            "agent registered" if registered.created else "agent changed",
            extra={"agent_id": registered.agent_id},
        )
