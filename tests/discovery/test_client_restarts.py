"""Clients and registries that start again, and ways between them that break."""

import asyncio
import shutil
import sqlite3
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest
from tests.discovery.proxy import faulty_proxy
from tests.discovery.support import (
    EAGER,
    fleet,
    ids,
    in_a_loop,
    put,
)
from tests.integration.processes import free_port
from tests.service import Service

from meshaccel import (
    AgentRegistry,
    ErrorHandlingMiddleware,
    IncrementalServiceDiscovery,
    InvalidReplyError,
    InvalidRequestError,
    RegistryUnavailableError,
)
from meshaccel.discovery.http_source import POLICY
from meshaccel.resilience import ONCE


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
            assert discovery.stats().received_bytes > 1000  # packed
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
                assert 0 < discovery.stats().received_bytes < most_bytes

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


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_lossy_proxy(server: Service, tmp_path: Path, seed: int, *, patient: bool) -> None:
    """Connections are reset, answers cut off: nothing wrong is ever held, and in the end all."""
    errors = ErrorHandlingMiddleware()
    errors.policy("discovery.http", POLICY if patient else ONCE)

    async def change(registry: AgentRegistry) -> None:
        for number in range(10):
            await put(registry, f"a{number}", description="d" * 500, version=str(number))
        await registry.unregister("a3")

    @in_a_loop
    async def run() -> None:
        failures = 0
        async with IncrementalServiceDiscovery(proxy.url, limit=3, errors=errors) as discovery:
            for _ in range(25):
                try:
                    await discovery.refresh()
                except (RegistryUnavailableError, InvalidReplyError):
                    failures += 1
                assert len(discovery.agents) in (0, 10)
            proxy.healthy = True
            # A connection from before may take many small answers yet until it is cut off.
            for _ in range(60):
                with suppress(RegistryUnavailableError):
                    await discovery.refresh()
            await discovery.refresh()
            assert len(discovery.agents) == 10
            assert not discovery.agents["a3"].healthy
        assert proxy.faults
        assert failures or patient
        assert (errors.stats()["discovery.http"].recovered > 0) == patient

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
