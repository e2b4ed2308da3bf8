"""Many agents at once: nobody is left with a wiring that is not the current one."""

import asyncio
import json
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.http.client import Json, VirtualClock, registry_on, tool, wired_to
from tests.http.statements import queries, statements
from tests.service import Service

from meshaccel.models import Dependency, Tool
from meshaccel.registry.registration import Declaration
from meshaccel.registry.service import AgentRegistry

T = TypeVar("T")

PAIRS = 50
ROUNDS = 20
TURNS = 10
"""How often an agent may have to follow a signal before the fleet is settled."""


class Peer:
    """The keep-alive connection of one agent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return the status and the JSON of an answer; the connection stays open."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        self._writer.write(head.encode() + data)
        answered = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", answered)
        size = int(length[1]) if length and method != "HEAD" else 0
        found: Json = json.loads(await self._reader.readexactly(size) or b"{}")
        return int(answered.split()[1]), found

    async def post(self, declared: Json) -> Json:
        """Register; the answer must be a success."""
        status, answer = await self.call("POST", "/heartbeat", declared)
        assert (status, answer.get("status")) == (200, "success"), answer
        return answer

    async def head(self, agent_id: str) -> int:
        """Give a sign of life; return the signal."""
        return (await self.call("HEAD", f"/heartbeat/{agent_id}"))[0]

    async def delete(self, agent_id: str) -> None:
        """Unregister."""
        assert (await self.call("DELETE", f"/agents/{agent_id}"))[0] == 204

    async def follow(self, declared: Json) -> Json | None:
        """Do what one HEAD says, and check that nothing is left to do."""
        answer = None
        if await self.head(declared["agent_id"]) != 200:
            answer = await self.post(declared)
        assert await self.head(declared["agent_id"]) == 200
        return answer

    async def settle(self, declared: Json) -> Json:
        """Register as an SDK does, then follow signals until there is none."""
        answer = await self.post(declared)
        for _ in range(TURNS):
            signal = await self.head(declared["agent_id"])
            if signal == 200:
                return answer
            assert signal in (202, 410)
            answer = await self.post(declared)
        raise AssertionError(f"{declared['agent_id']} was never left in peace")


def together(url: str, *work: Callable[[Peer], Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once, each on a connection of its own that is open already."""
    host, port = url.removeprefix("http://").split(":")

    async def run() -> list[T]:
        streams = [await asyncio.open_connection(host, int(port)) for _ in work]
        try:
            peers = [Peer(*stream) for stream in streams]
            return await asyncio.gather(*map(_start, work, peers))
        finally:
            for _, writer in streams:
                writer.close()

    return asyncio.run(run())


def _start(work: Callable[[Peer], Coroutine[Any, Any, T]], peer: Peer) -> Coroutine[Any, Any, T]:
    return work(peer)


def posting(declared: Json) -> Callable[[Peer], Coroutine[Any, Any, Json]]:
    return lambda peer: peer.post(declared)


def following(declared: Json) -> Callable[[Peer], Coroutine[Any, Any, Json | None]]:
    return lambda peer: peer.follow(declared)


def settling(declared: Json) -> Callable[[Peer], Coroutine[Any, Any, Json]]:
    return lambda peer: peer.settle(declared)


def heading(agent_id: str) -> Callable[[Peer], Coroutine[Any, Any, int]]:
    return lambda peer: peer.head(agent_id)


def declaration(agent_id: str, *tools: Json, **fields: object) -> Json:
    return {"agent_id": agent_id, "http_host": agent_id, "http_port": 80, "tools": tools} | fields


def test_simultaneous_registrations_lose_no_wake_up(server: Service, tmp_path: Path) -> None:
    """Consumers that register along with their providers are all wired after one signal at most."""
    with registry_on(server, tmp_path / "r.db") as client:
        for number in range(ROUNDS):
            caps = [f"cap-{number}-{i}" for i in range(PAIRS)]
            providers = [declaration(f"p{i}", tool(cap)) for i, cap in enumerate(caps)]
            consumers = [declaration(f"c{i}", tool("use", cap)) for i, cap in enumerate(caps)]
            both = [agent for pair in zip(consumers, providers, strict=True) for agent in pair]
            together(server.url, *map(posting, both))
            together(server.url, *map(following, consumers))
            found = {a["id"]: a for a in client.get("/agents")["agents"]}
            for i in range(PAIRS):
                (resolution,) = found[f"c{i}"]["dependency_resolutions"]
                assert resolution["status"] == "available"
                assert resolution["provider_agent_id"] == f"p{i}"


def test_agents_that_follow_their_signals_are_all_wired(server: Service, tmp_path: Path) -> None:
    """Every consumer ends up with the one best of many providers that came along with it."""
    with registry_on(server, tmp_path / "r.db"):
        agents = [declaration(f"p{i}", tool("cap", version=f"1.{i}.0")) for i in range(PAIRS)]
        agents += [declaration(f"c{i}", tool("use", "cap")) for i in range(PAIRS)]
        together(server.url, *map(settling, agents))
        answers = together(server.url, *map(settling, agents))
        best = f"p{PAIRS - 1}"
        assert {tuple(wired_to(answer)) for answer in answers[PAIRS:]} == {(best,)}


def test_post_racing_delete_leaves_one_truth(server: Service, tmp_path: Path) -> None:
    """Whichever came last, HEAD, the listing and the consumers agree on it."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("c", tool("use", "cap"))
        for number in range(50):
            declared = declaration("p", tool("cap"), version=f"1.{number}")

            async def post(peer: Peer, declared: Json = declared) -> None:
                await peer.post(declared)

            async def delete(peer: Peer) -> None:
                await peer.delete("p")

            together(server.url, *((post, delete) if number % 2 else (delete, post)))
            known_to_head = client.head("p") != 410
            (listed,) = client.get("/agents", capabilities="cap")["agents"]
            assert known_to_head == (listed["status"] == "healthy")
            assert (wired_to(client.post("c", tool("use", "cap"))) == ["p"]) == known_to_head


@contextmanager
def held_writer(server: Service) -> Iterator[threading.Event]:
    """Keep the writer busy until the event is set, or the block ends."""
    release = threading.Event()

    async def hold(registry: AgentRegistry) -> asyncio.Task[None]:
        def wait(_: sqlite3.Connection) -> None:
            release.wait(60)

        return asyncio.create_task(registry._database.write(wait))

    async def join(task: asyncio.Task[None]) -> None:
        await task

    task = server.call(hold)
    try:
        yield release
    finally:
        release.set()
        server.call(lambda _: join(task))


def test_post_before_delete_is_unregistered(server: Service, tmp_path: Path) -> None:
    """A DELETE that is committed after a POST wins in memory as well."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))

        async def race(registry: AgentRegistry) -> None:
            await asyncio.gather(
                registry.register(Declaration(agent_id="p", http_host="new", http_port=1)),
                registry.unregister("p"),
            )

        server.call(race)
        (listed,) = client.get("/agents")["agents"]
        assert listed["status"] == "unhealthy"
        assert client.head("p") == 410


def test_recovery_while_expiring_is_not_half_done(server: Service, tmp_path: Path) -> None:
    """An agent that comes back in the moment it is taken for dead is alive, or told it is not."""
    clock = VirtualClock()
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("p", tool("cap"))
        clock.seconds += 21

        async def race(registry: AgentRegistry) -> None:
            await asyncio.gather(
                registry.register(Declaration(agent_id="p", http_host="new", http_port=1)),
                registry._liveness.expire(),
            )

        server.call(race)
        (listed,) = client.get("/agents")["agents"]
        assert (client.head("p") != 410) == (listed["status"] == "healthy")


def test_one_agent_posted_twice_at_once_is_one_of_both(server: Service, tmp_path: Path) -> None:
    """Of two registrations of one agent at once, one is kept, whole and wired."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        for number in range(20):
            bodies = [declaration("x", tool(f"{side}-{number}", "cap")) for side in ("l", "r")]
            together(server.url, *map(posting, bodies))
            (info,) = [a for a in client.get("/agents")["agents"] if a["id"] == "x"]
            (kept,) = [capability["name"] for capability in info["capabilities"]]
            assert kept in (f"l-{number}", f"r-{number}")
            (own,) = [body for body in bodies if body["tools"][0]["capability"] == kept]
            answer = client.post("x", *own["tools"])
            assert wired_to(answer, f"f_{kept}") == ["p"]
            assert client.head("x") == 200


def test_one_agent_with_other_dependencies_at_once(server: Service, tmp_path: Path) -> None:
    """The answer to one registration is never put together with the record of another."""

    async def race(registry: AgentRegistry) -> None:
        for number in range(30):
            wanted = Dependency(capability=f"cap-{number}")
            tools = [
                Tool(function_name="f", capability="own", dependencies=(wanted,) * count)
                for count in (1, 3, 2)
            ]
            versions = [Declaration(agent_id="x", tools=(one,)) for one in tools]
            answers = await asyncio.gather(*map(registry.register, versions))
            told = [answer.wiring.dependencies_resolved["f"] for answer in answers]
            assert {len(entries) for entries in told} <= {1, 2, 3}

    with registry_on(server, tmp_path / "r.db"):
        server.call(race)


def test_crowd_of_heads_after_a_change_reads_once(server: Service, tmp_path: Path) -> None:
    """Two hundred consumers that ask at once after a change cost two queries at most."""
    crowd = 200
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        for i in range(crowd):
            client.post(f"c{i}", tool("use", "cap"))

        client.post("p", tool("cap"), http_port=81)
        with statements(server) as seen:
            codes = together(server.url, *[heading(f"c{i}") for i in range(crowd)])
        assert set(codes) == {202}
        assert len(queries(seen)) <= 2, queries(seen)


def test_client_that_leaves_in_the_middle_changes_nothing(server: Service, tmp_path: Path) -> None:
    """A connection that breaks off within a body registers nobody and disturbs nobody."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(20):
            with socket.create_connection((host, int(port)), 60) as half:
                half.sendall(b"POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        assert [client.head(agent) for agent in ("p", "c")] == [200, 200]
        assert client.get("/agents")["count"] == 2


def test_client_that_leaves_before_its_answer_leaves_caches_right(
    server: Service, tmp_path: Path
) -> None:
    """Its registration is kept or not, and all that depends on it agrees."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        host, port = server.url.removeprefix("http://").split(":")
        body = b'{"agent_id":"p","http_host":"new","http_port":1,"tools":[]}'
        head = b"POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        with held_writer(server):
            gone = socket.create_connection((host, int(port)), 60)
            gone.sendall(head + body)
            gone.shutdown(socket.SHUT_RDWR)
            gone.close()
            # Served after the doomed one arrived: both were accepted in order.
            assert client.head("c") == 200
        client.post("later", tool("unrelated"))  # writes are made in order
        stored = client.get("/agents/p")
        changed = stored["endpoint"] == "http://new:1"
        assert client.head("c") == (202 if changed else 200)
        assert bool(stored["tools"]) != changed
        assert wired_to(client.post("c", tool("use", "cap"))) == ["" if changed else "p"]
