"""An agent's heartbeat that is answered with what changed: no request of its own for discovery."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.discovery.support import EAGER, in_a_loop
from tests.http.client import Client, registry_on, tool
from tests.service import Service

from meshaccel import IncrementalServiceDiscovery, InvalidReplyError


@pytest.fixture
def mesh(server: Service, tmp_path: Path) -> Iterator[Client]:
    """A registry with two agents, which both give signs of life."""
    with registry_on(server, tmp_path / "r.db", settings=EAGER) as client:
        client.post("me", tool("mine"))
        client.post("other", tool("weather"))
        yield client


class Agent:
    """The heartbeats of agent ``me``, one at a time."""

    def __init__(self, mesh: Client, discovery: IncrementalServiceDiscovery) -> None:
        self._mesh = mesh
        self._discovery = discovery
        self.body = b""

    async def beat(self, *, lost: bool = False) -> tuple[int, list[str]]:
        """Return the signal, and the changes that were told."""
        query = self._discovery.heartbeat_query()
        response = await asyncio.to_thread(
            lambda: self._mesh.http.post("/heartbeat/me/changes", params=query)
        )
        self.body = response.content
        told = () if lost else await self._discovery.receive(self.body)
        return response.status_code, [f"{change.kind} {change.agent.id}" for change in told]


def test_nothing_else_is_asked(mesh: Client) -> None:
    """One request at the very beginning; then whatever happens comes with the heartbeats."""

    @in_a_loop
    async def run() -> None:
        async with IncrementalServiceDiscovery(str(mesh.http.base_url)) as discovery:
            agent = Agent(mesh, discovery)
            assert await agent.beat() == (200, ["added me", "added other"])
            calls = discovery.stats().calls
            assert await agent.beat() == (200, [])
            assert len(agent.body) < 200
            mesh.post("third", tool("time"))
            mesh.delete("other")
            # An answer that was lost is told again.
            await agent.beat(lost=True)
            assert await agent.beat() == (200, ["added third", "changed other"])
            assert [found.id for found in discovery.by_capability("time")] == ["third"]
            assert discovery.by_capability("weather") == ()
            # One that comes twice changes nothing.
            assert await discovery.receive(agent.body) == ()
            assert discovery.stats().calls == calls
            assert discovery.stats().resyncs == {}

    run()


def test_the_signal_is_that_of_head(mesh: Client) -> None:
    """An agent that turns to POST is told what it was told before."""
    mesh.post("me", tool("mine", dependencies=[{"capability": "weather"}]))
    query: dict[str, str | int] = {"epoch": "another", "since": 1}
    assert (mesh.head("me"), mesh.http.post("/heartbeat/me/changes").status_code) == (200, 200)
    mesh.delete("other")
    plain = mesh.http.post("/heartbeat/me/changes")
    assert (mesh.head("me"), plain.status_code, plain.content) == (202, 202, b"")
    telling = mesh.http.post("/heartbeat/me/changes", params=query)
    assert telling.status_code == 202
    assert telling.json()["gone"]["reason"] == "epoch"
    unknown = mesh.http.post("/heartbeat/nobody/changes", params=query)
    assert (unknown.status_code, unknown.content) == (410, b"")
    refused = mesh.http.post("/heartbeat/me/changes", params=query | {"selector": "colour=red"})
    assert refused.status_code == 400
    assert mesh.http.post("/heartbeat/me/other", params=query).status_code == 404


def test_more_than_an_answer_holds(mesh: Client) -> None:
    """The rest comes with the next heartbeats, and is believed when it is whole."""

    @in_a_loop
    async def run() -> None:
        async with IncrementalServiceDiscovery(str(mesh.http.base_url), limit=2) as discovery:
            agent = Agent(mesh, discovery)
            await agent.beat()
            calls = discovery.stats().calls
            for name in ("x1", "x2", "x3"):
                mesh.post(name)
            assert (await agent.beat())[1] == []
            assert (await agent.beat())[1] == ["added x1", "added x2", "added x3"]
            assert discovery.stats().calls == calls

    run()


def test_a_doubt_is_cleared_up_at_once(mesh: Client) -> None:
    """What a heartbeat cannot tell is asked for."""

    @in_a_loop
    async def run() -> None:
        async with IncrementalServiceDiscovery(str(mesh.http.base_url)) as discovery:
            agent = Agent(mesh, discovery)
            await agent.beat()
            discovery._follower.records.apply({"other": None})  # as by a bug of whoever holds it
            assert await agent.beat() == (200, ["added other"])
            assert discovery.stats().resyncs == {"hash": 1}
            with pytest.raises(InvalidReplyError):
                await discovery.receive(b"<html>")

    run()


def test_a_sign_of_life_is_one_without_the_feed(
    mesh: Client, server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the changes cannot be read, the agent is alive all the same."""
    answer = mesh.get("/changes")
    query = {"epoch": answer["epoch"], "since": answer["to"]}

    def fail(_conn: sqlite3.Connection, _request: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(server.registry.feed._answers, "changes", fail)
    server.registry.feed.wake()
    response = mesh.http.post("/heartbeat/me/changes", params=query)
    assert (response.status_code, response.content) == (200, b"")
