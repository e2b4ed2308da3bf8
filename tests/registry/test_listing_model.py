"""Listings of a random fleet: what is kept between changes is what the database says now."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.http.client import QUIET, VirtualClock

from meshaccel import (
    AgentQuery,
    AgentRecord,
    AgentRegistry,
    Declaration,
    Dependency,
    LlmProviderRequest,
    Page,
    RegistrationRejectedError,
    Tool,
)
from meshaccel.errors import DatabaseError
from meshaccel.registry.derived import Derived
from meshaccel.registry.heartbeats import Signal
from meshaccel.registry.pages import Listings
from meshaccel.registry.telling import CurrentWiring

AGENTS = st.sampled_from("abcd")
NAMES = st.sampled_from("xy")
NEED = Tool(function_name="f", capability="own", dependencies=(Dependency(capability="x"),))
QUERIES = (
    AgentQuery(),
    AgentQuery(status="healthy"),
    AgentQuery(capabilities=("x",)),
    AgentQuery(after="a", limit=2),
)


def tools() -> st.SearchStrategy[Tool]:
    dependency = st.builds(
        Dependency,
        capability=NAMES,
        required=st.booleans(),
        tags=st.none() | st.just(("g",)),
    )
    return st.builds(
        Tool,
        function_name=st.sampled_from("fg"),
        capability=NAMES | st.none(),
        tags=st.none() | st.just(("g",)),
        description=st.sampled_from(["one", "two"]),
        kwargs=st.sampled_from([None, {"task": True}, {"a": 1, "b": 1.0}, {"b": 1.0, "a": 1}]),
        dependencies=st.lists(dependency, max_size=2).map(tuple),
        input_schema=st.none() | st.just({"type": "object"}),
        llm_filter=st.sampled_from(
            [None, {"filter": ["x"]}, {"filter": ["*"]}, {"filter": [], "filter_mode": "*"}]
        ),
        llm_provider=st.none() | st.just(LlmProviderRequest(capability="y")),
    )


class ListingMachine(RuleBasedStateMachine):
    """Agents come, change, are told, fall silent and leave; the registry starts again."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()

    @initialize()
    def start(self) -> None:
        """Open the registry."""
        opening = AgentRegistry.open(
            str(Path(self.folder.name) / "r.db"), settings=QUIET, clock=self.clock
        )
        self.registry = self.runner.run(opening)

    def teardown(self) -> None:
        """Close the registry."""
        self.runner.run(self.registry.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(
        agent=AGENTS,
        declared=st.lists(tools(), min_size=1, max_size=3),
        port=st.sampled_from([80, 81]),
    )
    def register(self, agent: str, declared: list[Tool], port: int) -> None:
        """Register, while the listing is read as often as may be."""
        self.clock.seconds += 0.001
        declaration = Declaration(
            agent_id=agent, http_host="h", http_port=port, tools=tuple(declared)
        )
        self.meanwhile(self.registry.register(declaration))

    @rule(agent=st.sampled_from("cd"), declared=st.lists(tools(), max_size=2))
    def put(self, agent: str, declared: list[Tool]) -> None:
        """Import a record."""
        record = AgentRecord(id=agent, name=agent, url="http://h:80", tools=tuple(declared))
        self.meanwhile(self.registry.put_agent(record))

    @rule(agent=AGENTS)
    def need(self, agent: str) -> None:
        """Register with what an agent needs most often."""
        self.register(agent, [NEED], 80)

    @rule(agent=AGENTS)
    def unregister(self, agent: str) -> None:
        """Take leave of an agent."""
        self.meanwhile(self.registry.unregister(agent))

    @rule(agent=AGENTS, writes=st.integers(0, 1), leave=st.booleans())
    def fail(self, agent: str, writes: int, *, leave: bool) -> None:
        """The database takes so many writes more and then is in trouble."""
        declaration = Declaration(agent_id=agent, http_host="h", http_port=80, tools=(NEED,))
        registry, left = self.registry, iter(range(writes))
        write = registry._database.write

        async def limited(work: Any) -> Any:
            await asyncio.sleep(0)
            if next(left, None) is None:
                raise DatabaseError("disk I/O error")
            return await write(work)

        registry._database.write = limited  # type: ignore[method-assign]
        try:
            self.meanwhile(registry.unregister(agent) if leave else registry.register(declaration))
        finally:
            registry._database.write = write  # type: ignore[method-assign]

    @rule(seconds=st.sampled_from([1, 21, 4000]), sweep=st.booleans())
    def silence(self, seconds: int, *, sweep: bool) -> None:
        """Let time pass, and look for silent agents and for those past retention."""
        self.clock.seconds += seconds
        self.meanwhile(self.registry._liveness.expire())
        if sweep:
            self.meanwhile(self.registry._liveness.sweep())

    @rule()
    def restart(self) -> None:
        """Go on in another process, which was told what agents know, but by digest."""
        self.runner.run(self.registry.close())
        self.start()

    @precondition(lambda self: hasattr(self, "registry"))
    @invariant()
    def kept_is_fresh(self) -> None:
        """Every page and every record is what is derived from the database alone."""
        self.runner.run(self._compare())

    def meanwhile(self, work: Any) -> None:
        """Run something, and read pages until it is done."""
        self.runner.run(self._meanwhile(work))

    async def _meanwhile(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.registry.list_agents()
            await asyncio.sleep(0)
        if not isinstance(task.exception(), RegistrationRejectedError | DatabaseError | None):
            await task

    async def _compare(self) -> None:
        registry = self.registry
        derived = Derived(registry._database)
        listings = Listings(derived, registry._sessions)
        for query in QUERIES:
            kept = await registry.list_agents(query)
            assert _shown(kept) == _shown(await listings.page(query))
        for record in await derived.agents(AgentQuery()):
            assert await registry.get_agent(record.id) == record.whole()
            wiring, kept_wiring = await derived.wiring(record.id), await registry.resolve(record.id)
            assert wiring.wiring == kept_wiring
            assert wiring.digest == CurrentWiring.of(kept_wiring).digest

    @rule(agent=AGENTS)
    def beat(self, agent: str) -> None:
        """Beat; an agent that is signalled registers again, and is not signalled once more."""
        self.runner.run(self._beat(agent))

    async def _beat(self, agent: str) -> None:
        if await self.registry.heartbeat(agent) is Signal.CHANGED:
            await self.registry._heartbeats.answer(agent)
            assert await self.registry.heartbeat(agent) is Signal.UNCHANGED


def _shown(page: Page) -> tuple[list[bytes], str | None]:
    return [listed.head for listed in page.agents], page.next_after


def test_listings_are_what_the_database_says() -> None:
    """Whatever happened, and however often it was listed in between."""
    run_state_machine_as_test(
        ListingMachine,
        settings=settings(max_examples=60, stateful_step_count=25),
    )
