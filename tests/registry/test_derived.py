"""What is derived from the database: read once for all who want it, and never kept when stale."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from tests.http.client import QUIET

from meshaccel import AgentRegistry, Declaration, Dependency, Signal, Tool
from meshaccel.db.database import Database
from meshaccel.errors import DatabaseError, UnknownAgentError
from meshaccel.registry.derived import ENTRIES_PER_TURN, Derived

NEED = Tool(function_name="f", dependencies=(Dependency(capability="cap"),))
READERS = 100


def offer(version: str, capability: str = "cap") -> Tool:
    return Tool(function_name="p", capability=capability, version=version)


def declare(agent_id: str, *tools: Tool) -> Declaration:
    return Declaration(agent_id=agent_id, http_host="h", http_port=1, tools=tools)


def run(work: Callable[[AgentRegistry, "Reads"], Coroutine[Any, Any, None]]) -> None:
    async def opened() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            await work(registry, Reads(registry._derived._database))

    asyncio.run(asyncio.wait_for(opened(), 240))


class Reads:
    """Counts the reads of a database; ``meanwhile`` happens between the next one and its end."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self._read = database.read
        database.read = self._counted  # type: ignore[method-assign]

    async def _counted(self, work: Callable[[Any], Any]) -> Any:
        self.count += 1
        found = await self._read(work)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found


async def offered_version(derived: Derived) -> str | None:
    """Return the version of the tool that is offered as ``cap``."""
    (candidate,) = (await derived.fleet([[NEED]])).offers["cap"].healthy
    return candidate.tool.version


@pytest.mark.parametrize(("kind", "reads_needed"), [("providers", 1), ("agent", 1), ("wiring", 2)])
def test_hundred_readers_of_one_missing_entry_read_once(kind: str, reads_needed: int) -> None:
    """A wiring takes an agent and what is offered to it."""

    async def crowd(registry: AgentRegistry, reads: Reads) -> None:
        derived = registry._derived
        await registry.register(declare("p", offer("1.0.0")))
        await registry.register(declare("c", NEED))
        read: dict[str, Callable[[], Awaitable[object]]] = {
            "providers": lambda: offered_version(derived),
            "agent": lambda: derived.agent("p"),
            "wiring": lambda: derived.wiring("c"),
        }
        derived.clear()
        reads.count = 0
        found = await asyncio.gather(*(read[kind]() for _ in range(READERS)))
        assert reads.count == reads_needed
        assert all(each is found[0] for each in found)
        assert registry.stats().caches[kind].stored >= 1

    run(crowd)


@pytest.mark.parametrize("read", ["offers", "agent", "wiring", "agents"])
def test_change_during_a_read_is_not_lost(read: str) -> None:
    """Who asks after the change gets what it made, though a read from before is under way."""

    async def race(registry: AgentRegistry, reads: Reads) -> None:
        derived = registry._derived
        await registry.register(declare("c", NEED))

        async def version() -> str | None:
            if read == "offers":
                return await offered_version(derived)
            if read == "agent":
                return (await derived.agent("p")).tools[0].version
            if read == "agents":
                return (await registry.list_agents()).agents[1].info.capabilities[0].version
            (told,) = (await derived.wiring("c")).wiring.dependencies_resolved["f"]
            (offered,) = (await derived.fleet([[NEED]])).offers["cap"].healthy
            assert told.agent_id == "p"
            return offered.tool.version

        for number in range(20):
            before, after = f"1.{number}.0", f"2.{number}.0"
            await registry.register(declare("p", offer(before)))
            derived.clear()
            late: list[asyncio.Task[str | None]] = []

            async def change(after: str = after, late: list[Any] = late) -> None:
                await registry.register(declare("p", offer(after)))
                late.append(asyncio.create_task(version()))
                await asyncio.sleep(0)  # it joins those who came before

            reads.meanwhile = change
            assert await version() in (before, after)
            assert await late[0] == after
            assert await version() == after

    run(race)


def test_unknown_agent_is_not_remembered() -> None:
    async def ask(registry: AgentRegistry, _: Reads) -> None:
        asked = [registry.record("p") for _ in range(READERS)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnknownAgentError}
        await registry.register(declare("p", offer("1.0.0")))
        assert (await registry.record("p")).id == "p"

    run(ask)


def test_failed_read_is_not_remembered() -> None:
    """It fails for all who wait, and for nobody after them."""

    async def fail(registry: AgentRegistry, reads: Reads) -> None:
        await registry.register(declare("p", offer("1.0.0")))
        await registry.register(declare("c", NEED))
        registry._derived.clear()

        async def trouble() -> None:
            raise DatabaseError("away")

        reads.meanwhile = trouble
        asked = [registry.heartbeat("c") for _ in range(READERS)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {DatabaseError}
        assert await registry.heartbeat("c") is Signal.UNCHANGED

    run(fail)


def test_reader_that_leaves_takes_nobody_along() -> None:
    async def leave(registry: AgentRegistry, reads: Reads) -> None:
        await registry.register(declare("p", offer("1.0.0")))
        registry._derived.clear()
        reading, go = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            reading.set()
            await go.wait()

        reads.meanwhile = wait
        first, second = (asyncio.create_task(registry.record("p")) for _ in range(2))
        await reading.wait()
        first.cancel()
        await asyncio.wait([first])
        go.set()
        assert (await second).id == "p"
        assert reads.count == 1

    run(leave)


def test_very_many_offers_are_one_read_in_many_turns() -> None:
    """The event loop goes on while they are stored."""

    async def load(registry: AgentRegistry, reads: Reads) -> None:
        names = [f"cap-{number}" for number in range(3 * ENTRIES_PER_TURN)]
        await registry.register(declare("p", *(offer("1.0.0", name) for name in names)))
        tools = [
            Tool(function_name="f", dependencies=tuple(Dependency(capability=n) for n in names))
        ]
        registry._derived.clear()
        reads.count = 0
        loading = asyncio.create_task(registry._derived.fleet([tools]))
        stored = [0]
        while not loading.done():
            await asyncio.sleep(0)
            stored.append(len(registry._derived._offered))
        assert len((await loading).offers) == stored[-1] == len(names)
        assert reads.count == 1
        assert max(later - earlier for earlier, later in pairwise(stored)) <= ENTRIES_PER_TURN
        await registry._derived.fleet([tools])
        assert reads.count == 1

    run(load)
