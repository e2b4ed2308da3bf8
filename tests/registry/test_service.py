"""The registry in this process: what its parts must do together, at the seams between awaits."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.connections import on_writer

from meshaccel import (
    AgentQuery,
    AgentRegistry,
    Declaration,
    Dependency,
    RegistrationRejectedError,
    RegistrySettings,
    Signal,
    Tool,
)
from meshaccel.db import leases
from meshaccel.registry import registration, telling

QUIET = RegistrySettings(flush_interval_s=3600, check_interval_s=3600, sweep_interval_s=3600)

OFFER = Tool(function_name="p", capability="cap")
NEED = Tool(function_name="f", capability="own", dependencies=(Dependency(capability="cap"),))


def declare(agent_id: str, *tools: Tool) -> Declaration:
    return Declaration(agent_id=agent_id, http_host="h", http_port=1, tools=tools)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 240))


def test_listing_read_while_an_agent_is_told_does_not_stay_wrong(tmp_path: Path) -> None:
    """A page made between the parts of an answer is not kept."""

    async def race() -> None:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), settings=QUIET) as registry:
            for _ in range(50):
                await registry.register(declare("consumer", NEED))
                await registry._liveness.flush()
                await registry.register(declare("provider", OFFER))
                telling = asyncio.create_task(registry.register(declare("consumer", NEED)))
                while not telling.done():
                    await registry.list_agents()
                    await asyncio.sleep(0)
                page = await registry.list_agents()
                assert page.agents[0].info.dependencies_resolved == 1
                await registry.unregister("provider")

    run(race())


def test_batch_written_while_an_agent_is_told_brings_nothing_back(tmp_path: Path) -> None:
    """After a crash in which the former wiring returns, the agent is signalled all the same."""
    database, crashed = tmp_path / "r.db", tmp_path / "crashed.db"

    async def race() -> None:
        registry = await AgentRegistry.open(str(database), settings=QUIET)
        await registry.register(declare("consumer", NEED))
        await registry._liveness.flush()
        await registry.register(declare("provider", OFFER))
        write = registry._database.write

        async def interrupted(work: Any) -> Any:
            queued = asyncio.ensure_future(write(work))
            await asyncio.sleep(0)
            if session := registry._sessions.get("consumer"):
                registry._sessions.touch(session)
            registry._database.write = write  # type: ignore[method-assign]
            await registry._liveness.flush()
            return await queued

        original = registry._heartbeats._forget_told

        async def forget(session: Any) -> None:
            registry._database.write = interrupted  # type: ignore[method-assign]
            await original(session)

        registry._heartbeats._forget_told = forget  # type: ignore[method-assign]
        answer = await registry.register(declare("consumer", NEED))
        assert answer.wiring.dependencies_resolved["f"][0].agent_id == "provider"
        for suffix in ("", "-wal"):
            shutil.copy(f"{database}{suffix}", f"{crashed}{suffix}")
        await registry.close()

        async with await AgentRegistry.open(str(crashed), settings=QUIET) as restarted:
            await restarted.unregister("provider")
            assert await restarted.heartbeat("consumer") is Signal.CHANGED

    run(race())


def test_other_order_of_tools_is_signalled_to_whom_it_matters() -> None:
    """Of functions with one name a filter takes the first, so order is content."""

    async def reorder() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            one, two = (
                Tool(function_name="same", capability=name, input_schema={}) for name in "xy"
            )
            model = Tool(function_name="m", capability="m", llm_filter={"filter": ["*"]})
            await registry.register(declare("provider", one, two))
            await registry.register(declare("consumer", model))
            await registry.register(declare("provider", two, one))
            assert await registry.heartbeat("consumer") is Signal.CHANGED
            (chosen,) = (await registry.resolve("consumer")).llm_tools["m"]
            assert chosen.capability == "y"

    run(reorder())


def test_tools_without_a_capability_are_offered_to_nobody() -> None:
    """Not even to a model that takes every tool."""

    async def ask() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            await registry.register(declare("ghost", Tool(function_name="g", input_schema={})))
            model = Tool(function_name="m", capability="m", llm_filter={"filter": ["*"]})
            answer = await registry.register(declare("consumer", model))
            assert answer.wiring.llm_tools["m"] == ()

    run(ask())


def test_background_survives_an_unexpected_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that fails is logged and tried again; the others go on."""
    caplog.set_level(logging.CRITICAL, logger="meshaccel.registry.liveness")
    settings = RegistrySettings(
        flush_interval_s=0.01, check_interval_s=0.01, timeout_s=0.1, startup_grace_s=0
    )
    write_beats = leases.write_beats
    failed = asyncio.Event()

    def fail(conn: sqlite3.Connection, beats: Any, **times: int) -> None:
        if not failed.is_set():
            failed.set()
            raise MemoryError
        write_beats(conn, beats, **times)

    async def survive() -> None:
        monkeypatch.setattr(leases, "write_beats", fail)
        async with await AgentRegistry.open(":memory:", settings=settings) as registry:
            await registry.register(declare("a", OFFER))
            while await registry.heartbeat("a") is not Signal.UNKNOWN:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            assert failed.is_set()

    run(survive())


def test_pages_of_the_library_join_to_the_whole() -> None:
    """``next_after`` of a page is what the next query goes on after."""

    async def page() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            for name in "cab":
                await registry.register(declare(name))
            seen: list[str] = []
            after: str | None = None
            while True:
                found = await registry.list_agents(AgentQuery(limit=2, after=after))
                seen += [listed.id for listed in found.agents]
                after = found.next_after
                if after is None:
                    break
            assert seen == ["a", "b", "c"]
            assert [listed.info.id for listed in found.agents] == ["c"]

    run(page())


def test_answers_do_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large kwargs, many filters, and a wiring that repeats itself too often are refused."""
    monkeypatch.setattr(telling, "MAX_WIRING", 100_000)
    large = {"a": "x" * registration.MAX_KWARGS}
    needs = Tool(
        function_name="f", capability="c", dependencies=(Dependency(capability="cap"),) * 1000
    )
    models = [
        Tool(function_name=f"m{number}", capability="m", llm_filter={"filter": []})
        for number in range(registration.MAX_LLM_FILTERS + 1)
    ]

    async def refuse() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            for tools in ([Tool(function_name="p", capability="cap", kwargs=large)], models):
                with pytest.raises(RegistrationRejectedError):
                    await registry.register(declare("a", *tools))
            offer = Tool(function_name="p", capability="cap", kwargs={"a": "x" * 1000})
            await registry.register(declare("provider", offer))
            with pytest.raises(RegistrationRejectedError, match="wiring is larger"):
                await registry.register(declare("consumer", needs))
            await registry.register(declare("consumer", NEED))

    run(refuse())


def test_many_agents_expire_in_small_transactions(tmp_path: Path) -> None:
    """All of them expire, and the writer is free in between."""

    async def expire() -> None:
        database = str(tmp_path / "r.db")
        settings = structs.replace(QUIET, timeout_s=0.0, startup_grace_s=0.0)
        async with await AgentRegistry.open(database, settings=settings) as registry:
            for number in range(120):
                await registry.register(declare(f"a{number}", OFFER))
            transactions: list[str] = []
            await on_writer(
                registry._database, lambda conn: conn.set_trace_callback(transactions.append)
            )
            assert await registry._liveness.expire() == 120
            assert transactions.count("COMMIT") == 3

    run(expire())


def test_events_of_a_cancelled_flush_are_written_by_the_next(tmp_path: Path) -> None:
    async def cancel() -> None:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), settings=QUIET) as registry:
            await registry.register(declare("consumer", NEED))
            await registry._liveness.flush()
            registry._sessions.touch(registry._sessions._by_id["consumer"])
            async with registry._database._pool.write():
                flushing = asyncio.create_task(registry._liveness.flush())
                await asyncio.sleep(0)
                assert not registry._sessions.unwritten
                flushing.cancel()
                await asyncio.wait([flushing])
            assert registry._sessions.unwritten

    run(cancel())
