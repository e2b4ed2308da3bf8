"""``IncrementalServiceDiscovery``: in this process and over HTTP, with and without trouble."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.discovery.proxy import faulty_proxy
from tests.discovery.test_feed import held, in_a_loop, opened, put, readers
from tests.http.client import QUIET
from tests.integration.processes import free_port
from tests.service import Service

from meshaccel import (
    AgentChange,
    AgentRecord,
    AgentRegistry,
    DiscoveryError,
    DivergedError,
    FeedSettings,
    Guards,
    IncrementalServiceDiscovery,
    InvalidReplyError,
    InvalidRequestError,
    MetadataPool,
    RegistryUnavailableError,
    Selector,
    Tool,
)
from meshaccel.discovery.phases import Position
from meshaccel.discovery.protocol import Changes, ChangesRequest, Digest, DigestRequest, Gone
from meshaccel.registry.feed import Feed

EAGER = structs.replace(QUIET, feed=FeedSettings(gather_s=0.0))


async def no_sleep(_seconds: float) -> None:
    """Let others run; time is not waited for."""
    await asyncio.sleep(0)


class Spoiled:
    """A source whose answers are changed on the way."""

    def __init__(self, feed: Feed, change: Callable[[Any], Any]) -> None:
        self._feed = feed
        self._change = change
        self.calls: list[object] = []

    async def changes(self, request: ChangesRequest) -> Changes | Gone:
        """Answer, changed."""
        self.calls.append(request)
        answer: Changes | Gone = self._change(await self._feed.changes(request))
        return answer

    async def digest(self, request: DigestRequest) -> Digest:
        """Answer, changed."""
        self.calls.append(request)
        answer: Digest = self._change(await self._feed.digest(request))
        return answer

    def follow(self, request: ChangesRequest) -> AsyncGenerator[Changes | Gone, None]:
        """Answer as it is."""
        return self._feed.follow(request)


def spoiling(kind: type[Changes | Gone], **fields: Any) -> Callable[[Any], Any]:
    """Return a change of one kind of answer."""
    return lambda answer: structs.replace(answer, **fields) if isinstance(answer, kind) else answer


@asynccontextmanager
async def fleet(*names: str) -> AsyncIterator[AgentRegistry]:
    async with opened() as registry:
        for name in names:
            await put(registry, name, tools=(Tool(function_name="f", capability=f"c-{name}"),))
        yield registry


async def ids(discovery: IncrementalServiceDiscovery) -> list[str]:
    await discovery.refresh()
    return sorted(discovery.agents)


@in_a_loop
async def test_what_it_holds() -> None:
    async with fleet("a", "b") as registry, IncrementalServiceDiscovery(registry) as discovery:
        assert discovery.stats().revision is None
        changes = await discovery.refresh()
        assert [(change.kind, change.agent.id) for change in changes] == [
            ("added", "a"),
            ("added", "b"),
        ]
        (agent,) = discovery.by_capability("c-a")
        assert (agent.id, agent.endpoint, agent.capabilities) == ("a", "stdio://a", ("c-a",))
        assert agent.record["tools"][0]["function_name"] == "f"
        await registry.unregister("a")
        await put(registry, "b", version="2")
        changes = await discovery.refresh()
        assert {change.agent.id: change.kind for change in changes} == {
            "a": "changed",
            "b": "changed",
        }
        assert discovery.by_capability("c-a") == ()
        assert [agent.id for agent in discovery.by_capability("c-a", healthy=False)] == ["a"]
        assert discovery.by_capability("c-b") == ()
        assert await discovery.refresh() == ()
        assert discovery.stats().calls == 3


@in_a_loop
async def test_records_share_what_is_equal() -> None:
    """Ten replicas of an agent are hardly larger than one."""
    pool = MetadataPool(memo_bytes=0)
    tool = Tool(function_name="f", capability="c", input_schema={"description": "d" * 5000})
    async with (
        opened() as registry,
        IncrementalServiceDiscovery(registry, pool=pool) as discovery,
    ):
        await put(registry, "a0", tools=(tool,))
        await discovery.refresh()
        one = pool.stats().bytes
        for number in range(1, 10):
            await put(registry, f"a{number}", tools=(tool,))
        await discovery.refresh()
        assert pool.stats().bytes < 2 * one


@in_a_loop
async def test_watching() -> None:
    """Changes since the last look, one for each agent however many there were."""
    async with fleet("a", "b", "c") as registry:
        async with IncrementalServiceDiscovery(registry) as discovery:
            await discovery.refresh()
            async with aclosing(discovery.watch()) as changes:
                asking = asyncio.ensure_future(anext(changes))
                await readers(registry, 1)
                await put(registry, "a", version="1")
                first = await asking
                assert (first.kind, first.agent.record["version"]) == ("changed", "1")
                for version in "23":
                    await put(registry, "b", version=version)
                await registry.unregister("b")
                await put(registry, "d")
                told = [await anext(changes) for _ in range(2)]
            assert [(change.kind, change.agent.id) for change in told] == [
                ("changed", "b"),
                ("added", "d"),
            ]
            assert told[0].before is not None
            assert not told[0].agent.healthy
        assert registry.feed.readers == 0


@in_a_loop
async def test_two_watch_and_one_refreshes() -> None:
    """All are told, whoever it was that asked."""
    async with (
        fleet("a") as registry,
        IncrementalServiceDiscovery(registry, sleep=no_sleep) as discovery,
    ):
        told: list[list[str]] = [[], []]

        async def watch(mine: list[str]) -> None:
            async for change in discovery.watch():
                mine.append(f"{change.kind} {change.agent.id}")
                if len(mine) == 3:
                    return

        watching = [asyncio.create_task(watch(mine)) for mine in told]
        for name in "bc":
            await put(registry, name)
            await discovery.refresh()
        await asyncio.gather(*watching)
        assert told == [["added a", "added b", "added c"]] * 2


@in_a_loop
async def test_closing_ends_watching() -> None:
    async with fleet("a") as registry:
        discovery = IncrementalServiceDiscovery(registry)
        told: list[AgentChange] = []

        async def watch() -> None:
            told.extend([change async for change in discovery.watch()])

        watching = asyncio.create_task(watch())
        await readers(registry, 1)
        await discovery.close()
        await watching
        assert len(told) == 1
        with pytest.raises(DiscoveryError):
            await discovery.refresh()


@in_a_loop
async def test_a_selection() -> None:
    selector = Selector(capabilities=("c-a", "c-b"), status="healthy")
    async with (
        fleet("a", "b", "c") as registry,
        IncrementalServiceDiscovery(registry, selector=selector) as discovery,
    ):
        assert await ids(discovery) == ["a", "b"]
        await registry.unregister("a")
        assert await ids(discovery) == ["b"]
        await put(registry, "b")
        assert await ids(discovery) == []
    with pytest.raises(InvalidRequestError, match="colour"):
        IncrementalServiceDiscovery(registry, selector="colour=red")


def test_a_warm_start_is_one_small_answer(server: Service, tmp_path: Path) -> None:
    """What was held is held again; the registry only says that it is so."""

    async def fill(registry: AgentRegistry) -> None:
        for number in range(200):
            await put(registry, f"a{number}", description="d" * 1000)

    @in_a_loop
    async def run() -> None:
        state = tmp_path / "state"
        async with IncrementalServiceDiscovery(server.url, state=state) as discovery:
            assert len(await ids(discovery)) == 200
        async with IncrementalServiceDiscovery(server.url, state=state) as discovery:
            assert len(discovery.agents) == 200
            assert await discovery.refresh() == ()
            stats = discovery.stats()
            assert (stats.calls, stats.received_bytes) == (1, 0)  # 304, without a body

    with server.open(tmp_path / "r.db", settings=EAGER):
        server.call(fill)
        run()


def test_a_state_of_no_use(tmp_path: Path) -> None:
    """Damaged, or of another selector: a cold start."""
    state = tmp_path / "deep" / "state"

    @in_a_loop
    async def run() -> None:
        async with fleet("a", "b") as registry:
            async with IncrementalServiceDiscovery(registry, state=state) as discovery:
                await discovery.refresh()
            whole = state.read_bytes()
            for content in (b"", whole[:-1], whole[:-1] + b"\0", b"x" + whole[1:], whole * 2):
                state.write_bytes(content)
                async with IncrementalServiceDiscovery(registry, state=state) as discovery:
                    assert discovery.agents == {}
                    assert await ids(discovery) == ["a", "b"]
                    assert discovery.stats().resyncs == {"state": 1}
            async with IncrementalServiceDiscovery(
                registry, state=state, selector="namespace=eu"
            ) as discovery:
                assert discovery.agents == {}

    run()


def test_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    """Is logged while there is something better to do, and raised when it was asked for."""
    (tmp_path / "file").touch()

    @in_a_loop
    async def run() -> None:
        async with fleet("a") as registry:
            discovery = IncrementalServiceDiscovery(registry, state=tmp_path / "file" / "state")
            assert await ids(discovery) == ["a"]
            with pytest.raises(OSError, match="file"):
                await discovery.save()
            with pytest.raises(OSError, match="file"):
                await discovery.close()

    run()


def test_a_restored_backup(server: Service, tmp_path: Path) -> None:
    """Clients that know of what is undone start over; they are not sent what they hold."""
    database, backup, state = (tmp_path / name for name in ("r.db", "backup.db", "state"))

    def add(name: str) -> None:
        async def work(registry: AgentRegistry) -> None:
            await put(registry, name, description="d" * 2000)

        server.call(work)

    def refreshed(expected: list[str], resyncs: dict[str, int], most_bytes: int) -> None:
        @in_a_loop
        async def run() -> None:
            async with IncrementalServiceDiscovery(server.url, state=state) as discovery:
                assert await ids(discovery) == expected
                assert discovery.stats().resyncs == resyncs
                assert discovery.stats().received_bytes < most_bytes

        run()

    names = [f"a{number:02}" for number in range(20)]
    with server.open(database, settings=EAGER):
        for name in names:
            add(name)
        refreshed(names, {}, 100_000)
    with closing(sqlite3.connect(database)) as here, closing(sqlite3.connect(backup)) as there:
        here.backup(there)
    with server.open(database, settings=EAGER):
        add("undone")
        refreshed([*names, "undone"], {}, 5000)
    for leftover in tmp_path.glob("r.db-[sw]*"):
        leftover.unlink()
    shutil.copy(backup, database)
    with server.open(database, settings=EAGER):
        # As many revisions as before: no cursor could tell.
        add("other")
        refreshed([*names, "other"], {"epoch": 1}, 20_000)


def test_a_file_beside_that_is_lost(server: Service, tmp_path: Path) -> None:
    """A new epoch, of which a client learns that nothing is different: no agent is sent again."""
    state = tmp_path / "state"

    @in_a_loop
    async def run() -> None:
        async with IncrementalServiceDiscovery(server.url, state=state) as discovery:
            assert await ids(discovery) == ["a"]
            assert discovery.stats().resyncs == {}

    async def fill(registry: AgentRegistry) -> None:
        await put(registry, "a", description="d" * 5000)

    with server.open(tmp_path / "r.db", settings=EAGER):
        server.call(fill)
        run()
    (tmp_path / "r.db-feed").unlink()
    with server.open(tmp_path / "r.db", settings=EAGER):
        run()


def test_a_registry_that_comes_and_goes(server: Service, tmp_path: Path) -> None:
    """Who watches is told what happened, when there is somebody to tell."""

    @in_a_loop
    async def run() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()

        async def watch(discovery: IncrementalServiceDiscovery) -> None:
            async for change in discovery.watch():
                told.put_nowait(f"{change.kind} {change.agent.id}")

        async with IncrementalServiceDiscovery(server.url, draw=lambda: 0.1) as discovery:
            watching = asyncio.create_task(watch(discovery))
            for name in "abc":
                with ExitStack() as serving:
                    opening = server.open(tmp_path / "r.db", settings=EAGER)
                    await asyncio.to_thread(serving.enter_context, opening)
                    await asyncio.to_thread(server.call, partial(put, agent_id=name))
                    assert await told.get() == f"added {name}"
                    await asyncio.to_thread(serving.close)
        await watching
        assert told.empty()

    run()


@pytest.mark.parametrize("seed", range(3))
def test_a_lossy_proxy(server: Service, tmp_path: Path, seed: int) -> None:
    """Connections are reset, answers cut off: nothing wrong is ever held, and in the end all."""

    async def change(registry: AgentRegistry) -> None:
        for number in range(10):
            await put(registry, f"a{number}", description="d" * 500, version=str(number))
        await registry.unregister("a3")

    @in_a_loop
    async def run() -> None:
        failures = 0
        async with IncrementalServiceDiscovery(proxy.url, limit=3) as discovery:
            for _ in range(25):
                try:
                    await discovery.refresh()
                except (RegistryUnavailableError, InvalidReplyError):
                    failures += 1
                assert len(discovery.agents) in (0, 10)
            proxy.healthy = True
            with suppress(RegistryUnavailableError):
                await discovery.refresh()  # perhaps on a connection from before
            await discovery.refresh()
            assert len(discovery.agents) == 10
            assert not discovery.agents["a3"].healthy
        assert failures
        assert proxy.faults

    with server.open(tmp_path / "r.db", settings=EAGER), faulty_proxy(server.url, seed) as proxy:
        server.call(change)
        run()


@in_a_loop
async def test_nobody_answers() -> None:
    url = f"http://me:hunter2@127.0.0.1:{free_port()}"
    async with IncrementalServiceDiscovery(url) as discovery:
        with pytest.raises(RegistryUnavailableError) as caught:
            await discovery.refresh()
        assert "hunter2" not in str(caught.value)
    with pytest.raises(InvalidRequestError):
        IncrementalServiceDiscovery("127.0.0.1:8000")


@in_a_loop
async def test_answers_without_a_hash_are_doubted() -> None:
    """A registry that has lost its agents says that there are none."""
    names = [f"a{number}" for number in range(20)]
    async with fleet(*names) as registry:
        source = Spoiled(registry.feed, spoiling(Changes, hash=None))
        trusting = Guards(empty_snapshot=False, mass_expiry=None)
        async with (
            IncrementalServiceDiscovery(source) as doubting,
            IncrementalServiceDiscovery(source, guards=trusting) as believing,
        ):
            assert len(await ids(doubting)) == len(await ids(believing)) == 20
            for name in names[:8]:
                await registry.unregister(name)
            await doubting.refresh()
            assert sum(agent.healthy for agent in doubting.agents.values()) == 12
            for name in names[8:]:
                await registry.unregister(name)
            await doubting.refresh()
            await believing.refresh()
            assert sum(agent.healthy for agent in doubting.agents.values()) == 12
            assert sum(agent.healthy for agent in believing.agents.values()) == 0
            assert doubting.stats().suspicions == {"mass_expiry": 1}
            none = Spoiled(registry.feed, spoiling(Changes, hash=None, items=(), more=False))
            doubting._synchronizer._source = none
            doubting._follower._phase = type(doubting._follower)(
                MetadataPool(), limit=5, guards=Guards()
            )._phase
            await doubting.refresh()
            assert len(doubting.agents) == 20
            assert doubting.stats().suspicions == {"mass_expiry": 1, "empty": 1}


@pytest.mark.parametrize(
    "change",
    [
        spoiling(Changes, since=1),
        spoiling(Changes, to=0),
        lambda answer: structs.replace(answer, items=answer.items[::-1]),
        lambda answer: structs.replace(
            answer, items=[structs.replace(item, id="other") for item in answer.items]
        ),
        lambda answer: Gone(reason="epoch", epoch=answer.epoch, revision=1),
    ],
)
def test_answers_that_no_registry_gives(change: Callable[[Any], Any]) -> None:
    """They are refused; what was held, and the question, stay."""

    @in_a_loop
    async def run() -> None:
        async with fleet("a", "b") as registry:
            source = Spoiled(registry.feed, change)
            async with IncrementalServiceDiscovery(source) as discovery:
                for _ in range(2):
                    with pytest.raises(InvalidReplyError):
                        await discovery.refresh()
                assert discovery.agents == {}
                assert source.calls[0] == source.calls[1]

    run()


@in_a_loop
async def test_a_hash_that_is_never_true() -> None:
    async with fleet("a") as registry, IncrementalServiceDiscovery(registry) as discovery:
        await discovery.refresh()
        await put(registry, "b")
        wrong = Spoiled(registry.feed, spoiling(Changes, hash="0" * 32))
        discovery._synchronizer._source = wrong
        with pytest.raises(DivergedError):
            await discovery.refresh()
        assert list(discovery.agents) == ["a"]
        discovery._synchronizer._source = registry.feed
        assert await ids(discovery) == ["a", "b"]


@in_a_loop
async def test_repair_reads_a_bucket() -> None:
    """Of two hundred agents one is wrong: only those are read that its bucket has."""
    async with opened() as registry:
        await asyncio.gather(*(put(registry, f"a{number}") for number in range(200)))
        source = Spoiled(registry.feed, lambda answer: answer)
        async with IncrementalServiceDiscovery(source) as discovery:
            await discovery.refresh()
            discovery._follower.records.apply({"a7": None})
            source.calls.clear()
            changes = await discovery.refresh()
            assert [change.agent.id for change in changes] == ["a7"]
            assert len(discovery.agents) == 200
            kinds = [type(call).__name__ for call in source.calls]
            assert kinds == ["ChangesRequest", "DigestRequest", "ChangesRequest", "ChangesRequest"]
            (repairing,) = (
                call for call in source.calls if isinstance(call, ChangesRequest) and call.buckets
            )
            answer = await registry.feed.changes(repairing)
            assert isinstance(answer, Changes)
            assert len(answer.items) < 10


@in_a_loop
async def test_snapshots_are_spread() -> None:
    """When all have to begin anew, each waits for a part of the time that the registry names."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with fleet("a") as registry:
        request = await held(registry)
        source = Spoiled(registry.feed, spoiling(Gone, hash=None, spread_s=8.0))
        async with IncrementalServiceDiscovery(source, draw=lambda: 0.25, sleep=sleep) as discovery:
            await discovery.refresh()
            elsewhere = Position("another", request.since)
            discovery._follower.restore(discovery._follower.records, elsewhere)
            assert await ids(discovery) == ["a"]
            assert slept == [2.0]
            assert discovery.stats().epoch == request.epoch


@in_a_loop
async def test_a_record_that_http_would_refuse() -> None:
    """A registry in this process may hold deeper schemas than its HTTP interface takes."""
    deep: dict[str, Any] = {}
    for _ in range(250):
        deep = {"a": deep}
    async with opened() as registry:
        tool = Tool(function_name="f", capability="c", input_schema=deep)
        await registry.put_agent(AgentRecord(id="deep", name="deep", tools=(tool,)))
        async with IncrementalServiceDiscovery(registry) as discovery:
            assert await ids(discovery) == ["deep"]
