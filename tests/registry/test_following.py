"""Several registries on one file: each one knows what the others changed."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.http.client import QUIET, VirtualClock

from meshaccel import (
    AgentRecord,
    AgentRegistry,
    DatabaseReplacedError,
    Declaration,
    Dependency,
    FeedSettings,
    RegistrySettings,
    Signal,
    Tool,
    UnknownAgentError,
)
from meshaccel.db import touched
from meshaccel.discovery.protocol import Changes, ChangesRequest
from meshaccel.registry import following

OFFER = Tool(function_name="p", capability="cap")
NEED = Tool(function_name="f", capability="own", dependencies=(Dependency(capability="cap"),))

Two = tuple[AgentRegistry, AgentRegistry]


def declare(agent_id: str, *tools: Tool, port: int = 1) -> Declaration:
    return Declaration(agent_id=agent_id, http_host="h", http_port=port, tools=tools)


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries look when they must, and not by the clock: so tests see when they must."""
    monkeypatch.setattr(following, "LOOK_INTERVAL_S", 3600)


@asynccontextmanager
async def two(
    path: Path, *, settings: RegistrySettings = QUIET, clock: VirtualClock | None = None
) -> AsyncIterator[Two]:
    async with (
        await AgentRegistry.open(str(path), settings=settings, clock=clock) as here,
        await AgentRegistry.open(str(path), settings=settings, clock=clock) as there,
    ):
        yield here, there


def on_two(
    path: Path, test: Callable[[AgentRegistry, AgentRegistry], Coroutine[Any, Any, None]]
) -> None:
    async def run() -> None:
        async with two(path / "r.db") as (here, there):
            await asyncio.wait_for(test(here, there), 20)

    asyncio.run(run())


def providers(wiring: Any) -> list[str]:
    return [entry.agent_id for entry in wiring.dependencies_resolved["f"] if entry.agent_id]


def test_all_answers_follow(tmp_path: Path) -> None:
    """What one registry acknowledged, the other one says."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        with pytest.raises(UnknownAgentError):
            await there.get_agent("p")
        assert (await there.list_agents()).agents == ()
        await here.register(declare("p", OFFER))
        assert (await there.get_agent("p")).record.tools == (OFFER,)
        assert [one.id for one in (await there.list_agents()).agents] == ["p"]
        answer = await there.register(declare("c", NEED))
        assert providers(answer.wiring) == ["p"]
        assert providers(await here.resolve("c")) == ["p"]
        await here.register(declare("p", OFFER, port=2))
        assert (await there.get_agent("p")).record.http_port == 2
        (entry,) = (await there.resolve("c")).dependencies_resolved["f"]
        assert entry is not None
        assert entry.endpoint == "http://h:2"
        await here.unregister("p")
        assert providers(await there.resolve("c")) == []
        assert (await there.list_agents()).agents[1].info.status == "unhealthy"
        await there.put_agent(AgentRecord(id="p", name="p", tools=(OFFER,)))
        assert providers(await here.resolve("c")) == ["p"]

    on_two(tmp_path, test)


def test_an_agent_may_beat_anywhere(tmp_path: Path) -> None:
    """No agent that the database knows as healthy is sent to register."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("c", NEED))
        await here._liveness.flush()
        # It was told by the other one; that is in the database by now.
        assert there.heartbeat_at_once("c") is None
        assert await there.heartbeat("c") is Signal.UNCHANGED
        await here.register(declare("p", OFFER))
        # The next look of its own accord is what a heartbeat relies on.
        there._follower.look()
        assert await there.heartbeat("c") is Signal.CHANGED
        assert await here.heartbeat("c") is Signal.CHANGED
        await there.register(declare("c", NEED))
        await there._liveness.flush()
        assert await here.heartbeat("c") is Signal.UNCHANGED
        await there.unregister("c")
        here._follower.look()
        assert await here.heartbeat("c") is Signal.UNKNOWN
        await there.register(declare("c", NEED))
        assert await here.heartbeat("c") is not Signal.UNKNOWN

    on_two(tmp_path, test)


def test_the_bytes_of_an_older_registration_are_a_registration(tmp_path: Path) -> None:
    """A yes that only says "as before" would lose what was registered elsewhere in between."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("p", OFFER), body_digest=b"first")
        assert await here.register_again(b"first") is not None
        await there.register(declare("p", OFFER, port=2), body_digest=b"second")
        assert await here.register_again(b"first") is None
        await here.register(declare("p", OFFER), body_digest=b"first")
        assert await there.register_again(b"second") is None
        assert (await there.get_agent("p")).record.http_port == 1
        assert await here.register_again(b"first") is not None

    on_two(tmp_path, test)


def test_nobody_forgets_what_an_agent_was_told_elsewhere(tmp_path: Path) -> None:
    """The word of the registry that told it last counts, whoever writes last."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("c", NEED))
        await there.register(declare("p", OFFER))
        answer = await there.register(declare("c", NEED))
        assert providers(answer.wiring) == ["p"]
        # Written after it was told something else by the other one.
        await here._liveness.flush()
        await there.unregister("p")
        for registry in (here, there):
            registry._follower.look()
            assert await registry.heartbeat("c") is Signal.CHANGED
        await there._liveness.flush()
        assert await here.heartbeat("c") is Signal.CHANGED
        await here.register(declare("p", OFFER))
        assert await here.heartbeat("c") is Signal.UNCHANGED

    on_two(tmp_path, test)


def test_the_listing_shows_what_agents_were_told_elsewhere(tmp_path: Path) -> None:
    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("p", OFFER))
        await here.register(declare("c", NEED))
        await there.list_agents()
        await here._liveness.flush()
        for registry in (here, there):
            (consumer, _) = (await registry.list_agents()).agents
            assert consumer.info.dependencies_resolved == 1

    on_two(tmp_path, test)


def test_an_agent_is_told_elsewhere_while_it_is_listed(tmp_path: Path) -> None:
    """What it takes to describe an agent is settled once, before others get their turn."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("c", NEED))
        fleet = here._derived.fleet

        async def told_meanwhile(agents: Any) -> Any:
            found = await fleet(agents)
            await there.register(declare("p", OFFER))
            await there.register(declare("c", NEED))
            await there._liveness.flush()
            here._follower.look()
            return found

        here._derived.fleet = told_meanwhile  # type: ignore[method-assign]
        listed = (await here.list_agents()).agents
        here._derived.fleet = fleet  # type: ignore[method-assign]
        assert [one.info.dependencies_resolved for one in listed] == [0]
        (consumer, _) = (await here.list_agents()).agents
        assert consumer.info.dependencies_resolved == 1

    on_two(tmp_path, test)


def test_readers_of_the_feed_are_woken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next look; and whoever heard of a revision elsewhere is not told of the future."""
    monkeypatch.setattr(following, "LOOK_INTERVAL_S", 0.001)
    eager = structs.replace(QUIET, feed=FeedSettings(gather_s=0.0))

    async def run() -> None:
        async with two(tmp_path / "r.db", settings=eager) as (here, there):
            await here.register(declare("p", OFFER))
            known = await there.feed.changes(ChangesRequest())
            assert isinstance(known, Changes)
            question = ChangesRequest(epoch=known.epoch, since=known.to, wait_s=15)
            waiting = asyncio.create_task(there.feed.changes(question))
            while not there.feed.readers:  # noqa: ASYNC110  a number is no event
                await asyncio.sleep(0)
            await here.register(declare("c", NEED))
            answer = await asyncio.wait_for(waiting, 10)
            assert isinstance(answer, Changes)
            assert [item.id for item in answer.items] == ["c"]
            told = await here.feed.changes(ChangesRequest())
            assert isinstance(told, Changes)
            same = await there.feed.changes(ChangesRequest(epoch=told.epoch, since=told.to))
            assert isinstance(same, Changes)
            assert (same.items, same.hash) == ((), told.hash)

    asyncio.run(run())


def test_silence_is_what_nobody_heard(tmp_path: Path) -> None:
    """An agent expires once, and not while it beats at another registry."""
    clock = VirtualClock()

    async def run() -> None:
        async with two(tmp_path / "r.db", clock=clock) as (here, there):
            await here.register(declare("p", OFFER))
            for _ in range(3):
                clock.seconds += 15
                assert await here.heartbeat("p") is Signal.UNCHANGED
                await here._liveness.flush()
                assert await there._liveness.expire() == 0
            assert (there.last_seen_us("p") or 0) >= clock.now_us() - 15_000_000
            clock.seconds += 21
            expired = [await each._liveness.expire() for each in (here, there)]
            assert sum(expired) == 1
            assert [event.event_type for event in await there.events()] == ["unhealthy", "register"]
            clock.seconds += 3600
            removed = [await each._liveness.sweep() for each in (there, here)]
            assert sum(removed) == 1
            assert (await here.list_agents()).agents == ()
            assert here.stats().agents == there.stats().agents == 0

    asyncio.run(run())


def test_a_clock_that_is_set_kills_nobody(tmp_path: Path) -> None:
    """Neither an hour ahead, as after a suspension, nor back."""

    class Set(VirtualClock):
        """A clock whose time of day can be set."""

        offset_us = 0

        def now_us(self) -> int:
            """Return microseconds since 1970, as set."""
            return super().now_us() + self.offset_us

    clock = Set()

    async def run() -> None:
        async with two(tmp_path / "r.db", clock=clock) as (here, there):
            await here.register(declare("p", OFFER))
            for offset_s in (3600, 0, -3600):
                await here.heartbeat("p")
                await here._liveness.flush()
                clock.offset_us = offset_s * 1_000_000
                clock.seconds += 15
                assert await there._liveness.expire() == 0
                await here.heartbeat("p")
                await here._liveness.flush()
                clock.seconds += 15
                assert await there._liveness.expire() == 0

    asyncio.run(run())


def test_an_agent_heard_in_the_last_moment(tmp_path: Path) -> None:
    """What another registry writes while this one takes an agent for dead is seen in time."""
    clock = VirtualClock()

    async def run() -> None:
        async with two(tmp_path / "r.db", clock=clock) as (here, there):
            await here.register(declare("p", OFFER))
            await there.list_agents()
            clock.seconds += 21
            ask = there._liveness._ask

            async def ask_and_hear(silent: Any) -> None:
                await ask(silent)
                await here.heartbeat("p")
                await here._liveness.flush()

            there._liveness._ask = ask_and_hear  # type: ignore[method-assign]
            assert await there._liveness.expire() == 0
            assert await there.heartbeat("p") is not Signal.UNKNOWN

    asyncio.run(run())


def test_a_change_of_others_that_is_seen_first(tmp_path: Path) -> None:
    """A look may go past a commit of one's own before that was noted: the later one counts."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        write = here._database.write

        async def overtaken(work: Any) -> Any:
            here._database.write = write  # type: ignore[method-assign]
            result = await write(work)
            await there.register(declare("p", OFFER, port=2))
            here._follower.look()
            return result

        here._database.write = overtaken  # type: ignore[method-assign]
        await here.register(declare("p", OFFER, port=1), body_digest=b"first")
        assert await here.register_again(b"first") is None
        assert (await here.get_agent("p")).record.http_port == 2

        async def removed(work: Any) -> Any:
            here._database.write = write  # type: ignore[method-assign]
            result = await write(work)
            await there.unregister("q")
            here._follower.look()
            return result

        here._database.write = removed  # type: ignore[method-assign]
        await here.register(declare("q"))
        assert await here.heartbeat("q") is Signal.UNKNOWN

    on_two(tmp_path, test)


def test_who_is_too_far_behind_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log is short; who has not read all of it asks for everything."""
    monkeypatch.setattr(touched, "KEPT", 5)
    monkeypatch.setattr(touched, "PRUNED", 2)
    caplog.set_level(logging.ERROR, logger=following.__name__)

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await here.register(declare("p0", OFFER))
        await there.register(declare("c", NEED))
        for number in range(1, 12):
            await here.register(declare(f"p{number}", OFFER))
        await here.unregister("p0")
        assert there._follower.look()
        assert there.stats().agents == 13
        assert await there.heartbeat("p0") is Signal.UNKNOWN
        assert "p0" not in providers(await there.resolve("c"))
        assert [one.info.status for one in (await there.list_agents()).agents].count(
            "unhealthy"
        ) == 1
        with closing(sqlite3.connect(tmp_path / "r.db")) as conn:
            (rows,) = conn.execute("SELECT count(*) FROM touched").fetchone()
        assert rows <= 7

    on_two(tmp_path, test)


def test_many_capabilities_take_little_room(tmp_path: Path) -> None:
    """Nobody fills the disk by changing often what is large; the others know all the same."""
    names = [f"{'long-' * 40}{number}" for number in range(1000)]
    tools = [Tool(function_name=name, capability=name) for name in names]
    need = Tool(function_name="f", dependencies=(Dependency(capability=names[-1]),))

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        await there.register(declare("c", need))
        for port in (1, 2):
            await here.register(declare("p", *tools, port=port))
            (entry,) = (await there.resolve("c")).dependencies_resolved["f"]
            assert entry is not None
            assert entry.endpoint == f"http://h:{port}"
            assert (await there.get_agent("p")).record.http_port == port
        with closing(sqlite3.connect(tmp_path / "r.db")) as conn:
            (largest,) = conn.execute("SELECT max(length(tags)) FROM touched").fetchone()
        assert largest <= touched.MAX_TAGS

    on_two(tmp_path, test)


@pytest.mark.parametrize("way", ["replaced", "restored"])
def test_a_database_that_is_taken_away(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What would be acknowledged now would be lost: nothing is."""
    caplog.set_level(logging.CRITICAL + 1, logger=following.__name__)
    path, copy = tmp_path / "r.db", tmp_path / "copy.db"

    async def run() -> None:
        registry = await AgentRegistry.open(str(path), settings=QUIET)
        await registry.register(declare("a"))
        with closing(sqlite3.connect(path)) as now, closing(sqlite3.connect(copy)) as then:
            now.backup(then)
        await registry.register(declare("b"))
        if way == "replaced":
            copy.replace(path)
            with pytest.raises(DatabaseReplacedError, match="restart"):
                registry._follower.look_at_file()
        else:
            with closing(sqlite3.connect(path)) as now, closing(sqlite3.connect(copy)) as then:
                then.backup(now)
        with pytest.raises(DatabaseReplacedError):
            await registry.list_agents()
        with pytest.raises(DatabaseReplacedError):
            await registry.register(declare("c"))
        errors = await asyncio.gather(
            registry.heartbeat("c"), registry.get_agent("a"), return_exceptions=True
        )
        assert [type(error) for error in errors] == [DatabaseReplacedError] * 2
        # One and the same would hold on to the frames of all who met it.
        assert errors[0] is not errors[1]
        # Nor can the last signs of life be written.
        with pytest.raises(DatabaseReplacedError):
            await registry.close()

    asyncio.run(run())
