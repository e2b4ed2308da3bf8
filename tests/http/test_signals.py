"""HEAD answers 202 when and only when the asking agent's own wiring changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest
from tests.service import Service

from meshaccel.registry.settings import RegistrySettings

Json = dict[str, Any]

QUIET = RegistrySettings(flush_interval_s=3600, check_interval_s=3600, sweep_interval_s=3600)
"""Nothing happens by itself: tests flush, expire and sweep."""


class VirtualClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_us(self) -> int:
        """Return microseconds since 1970."""
        return 1_700_000_000_000_000 + round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return 1000.0 + self.seconds


class Client:
    """The HTTP calls of agents."""

    def __init__(self, server: Service) -> None:
        self._server = server
        self.http = httpx.Client(base_url=server.url, timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, agent_id: str, *tools: Json, **fields: object) -> Json:
        """Register; the answer must be a success."""
        declared = {"agent_id": agent_id, "http_host": agent_id, "http_port": 80} | fields
        response = self.http.post("/heartbeat", json=declared | {"tools": tools})
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        assert answer["status"] == "success", answer
        return answer

    def head(self, agent_id: str) -> int:
        """Give a sign of life; return the signal."""
        response = self.http.head(f"/heartbeat/{quote(agent_id)}")
        assert response.content == b""
        return response.status_code

    def delete(self, agent_id: str) -> None:
        """Unregister."""
        assert self.http.delete(f"/agents/{agent_id}").status_code == 204

    def get(self, path: str, **query: str | int) -> Json:
        """Return the JSON of a successful GET."""
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def expire(self) -> int:
        """Look for silent agents now."""
        return self._server.call(lambda registry: registry._liveness.expire())


@contextmanager
def registry_on(
    server: Service,
    database: Path | str,
    *,
    clock: VirtualClock | None = None,
    settings: RegistrySettings = QUIET,
) -> Iterator[Client]:
    """Serve a registry for the length of the block."""
    with server.open(database, settings=settings, clock=clock), Client(server) as client:
        yield client


def tool(capability: str, *dependencies: str | Json, **fields: Any) -> Json:
    """Declare a tool; a dependency given as a string is the name of its capability."""
    wanted = [{"capability": d} if isinstance(d, str) else d for d in dependencies]
    declared = {"function_name": f"f_{capability}", "capability": capability, **fields}
    return declared | ({"dependencies": wanted} if wanted else {})


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def mesh(server: Service, tmp_path: Path, clock: VirtualClock) -> Iterator[Client]:
    """A registry with one wired consumer ``c`` of ``p``."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        yield client


def wired_to(answer: Json, function: str = "f_use") -> list[str]:
    return [entry["agent_id"] for entry in answer["dependencies_resolved"][function]]


CHANGES: dict[str, tuple[list[Json], Json]] = {
    "other tool": ([tool("other")], {}),
    "no tools": ([], {}),
    "kwargs": ([tool("cap", kwargs={"timeout": 5})], {}),
    "function": ([tool("cap", function_name="renamed")], {}),
    "host": ([tool("cap")], {"http_host": "elsewhere"}),
    "port": ([tool("cap")], {"http_port": 81}),
    "own required dependency": ([tool("cap", {"capability": "nil", "required": True})], {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_the_provider_signals_its_consumer(mesh: Client, change: str) -> None:
    tools, fields = CHANGES[change]
    assert (mesh.head("c"), mesh.head("p")) == (200, 200)
    mesh.post("p", *tools, **fields)
    assert (mesh.head("c"), mesh.head("c"), mesh.head("p")) == (202, 202, 200)
    mesh.post("c", tool("use", "cap"))
    assert mesh.head("c") == 200


IRRELEVANT: dict[str, tuple[list[Json], Json]] = {
    "equal again": ([tool("cap")], {}),
    "description": ([tool("cap", description="new")], {"description": "new"}),
    "name and version of the agent": ([tool("cap")], {"name": "new", "version": "2.0.0"}),
    "tags nobody asked for": ([tool("cap", tags=["new"])], {}),
    "version nobody asked for": ([tool("cap", version="7.0.0")], {}),
    "schema nobody asked for": ([tool("cap", inputSchema={"type": "object"})], {}),
    "a tool nobody uses": ([tool("cap"), tool("unused")], {}),
    "empty kwargs": ([tool("cap", kwargs={})], {}),
}


@pytest.mark.parametrize("change", IRRELEVANT)
def test_change_that_leaves_the_wiring_alone_signals_nobody(mesh: Client, change: str) -> None:
    tools, fields = IRRELEVANT[change]
    mesh.post("p", *tools, **fields)
    assert (mesh.head("c"), mesh.head("p")) == (200, 200)


def test_tags_and_versions_signal_whom_they_concern(mesh: Client) -> None:
    gold = tool("use", {"capability": "cap", "tags": ["gold"]})
    modern = tool("use", {"capability": "cap", "version": ">=2"})
    assert wired_to(mesh.post("gold", gold)) == [""]
    assert wired_to(mesh.post("modern", modern)) == [""]
    mesh.post("p", tool("cap", tags=["gold"]))
    assert [mesh.head(agent) for agent in ("gold", "modern", "c")] == [202, 200, 200]
    mesh.post("p", tool("cap", tags=["gold"], version="2.1.0"))
    assert [mesh.head(agent) for agent in ("gold", "modern", "c")] == [202, 202, 200]
    assert wired_to(mesh.post("gold", gold)) == wired_to(mesh.post("modern", modern)) == ["p"]


def test_better_provider_signals_and_a_worse_one_does_not(mesh: Client) -> None:
    mesh.post("q", tool("cap", version="0.9.0"))
    assert mesh.head("c") == 200
    mesh.post("r", tool("cap", version="1.1.0"))
    assert mesh.head("c") == 202
    assert wired_to(mesh.post("c", tool("use", "cap"))) == ["r"]
    mesh.delete("q")
    assert mesh.head("c") == 200


def test_unregistering_and_revival_signal(mesh: Client) -> None:
    mesh.delete("p")
    assert (mesh.head("c"), mesh.head("p")) == (202, 410)
    assert wired_to(mesh.post("c", tool("use", "cap"))) == [""]
    assert mesh.head("c") == 200
    mesh.post("p", tool("cap"))
    assert (mesh.head("c"), mesh.head("p")) == (202, 200)


def test_death_signals(mesh: Client, clock: VirtualClock) -> None:
    clock.seconds += 15
    assert mesh.head("c") == 200
    clock.seconds += 6
    assert mesh.expire() == 1
    assert (mesh.head("c"), mesh.head("p")) == (202, 410)


def test_there_and_back_again_is_no_change(mesh: Client) -> None:
    mesh.delete("p")
    mesh.post("p", tool("cap"))
    assert mesh.head("c") == 200
    mesh.post("p", tool("other"))
    assert mesh.head("c") == 202
    mesh.post("p", tool("cap"))
    assert mesh.head("c") == 200


def test_required_chain_signals_its_end(mesh: Client) -> None:
    mesh.post("m1", tool("m1", {"capability": "m2", "required": True}))
    mesh.post("m2", tool("m2", {"capability": "m3", "required": True}))
    assert wired_to(mesh.post("end", tool("use", "m1"))) == [""]
    mesh.post("m3", tool("m3"))
    assert mesh.head("end") == 202
    assert wired_to(mesh.post("end", tool("use", "m1"))) == ["m1"]
    # Nobody asked m1 for its own wiring again, but m2 became available to it.
    assert [mesh.head(agent) for agent in ("m1", "m2", "m3")] == [202, 202, 200]
    mesh.delete("m3")
    assert mesh.head("end") == 202


def test_llm_filters_signal(mesh: Client) -> None:
    schema: Json = {"type": "object", "properties": {}}
    asks = tool("ask", llm_filter={"filter": ["cap"], "filter_mode": "all"})
    asks_all = tool("ask", llm_filter={"filter": [], "filter_mode": "*"})
    assert mesh.post("one", asks)["llm_tools"] == {"f_ask": []}
    mesh.post("all", asks_all)
    mesh.post("p", tool("cap", inputSchema=schema))
    assert [mesh.head(agent) for agent in ("one", "all", "c")] == [202, 202, 200]
    (found,) = mesh.post("one", asks)["llm_tools"]["f_ask"]
    assert found["name"] == "f_cap"
    mesh.post("all", asks_all)
    mesh.post("p", tool("cap", inputSchema=schema, description="read by language models"))
    assert [mesh.head(agent) for agent in ("one", "all", "c")] == [202, 202, 200]


def test_llm_providers_signal(mesh: Client) -> None:
    asks = tool("ask", llm_provider={"capability": "llm", "tags": ["+fast"]})
    mesh.post("asker", asks)
    model = tool("llm", inputSchema={"type": "object"}, kwargs={"vendor": "anthropic"})
    mesh.post("model", model)
    assert mesh.head("asker") == 202
    assert mesh.post("asker", asks)["llm_providers"]["f_ask"]["vendor"] == "anthropic"
    assert mesh.head("asker") == 200
    mesh.delete("model")
    assert mesh.head("asker") == 202


def test_own_change_is_told_by_the_own_post(mesh: Client) -> None:
    mesh.post("c", tool("use", "cap", "use"), http_port=90)
    assert mesh.head("c") == 200
    mesh.post("c", tool("use", "cap", "use"), http_port=91)
    assert mesh.head("c") == 200


def test_signals_survive_a_restart(server: Service, tmp_path: Path) -> None:
    database = tmp_path / "r.db"
    with registry_on(server, database) as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        client.post("d", tool("use", "cap"))
        client.post("p", tool("cap"), http_port=81)
        client.post("d", tool("use", "cap"))
    with registry_on(server, database) as client:
        assert [client.head(agent) for agent in ("p", "c", "d")] == [200, 202, 200]


def test_no_signal_is_lost_in_a_crash(server: Service, tmp_path: Path) -> None:
    """A consumer told of another provider is not believed to know the former one."""
    crashed = tmp_path / "crashed.db"
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("a", tool("cap"))
        client.post("b", tool("cap"))
        assert wired_to(client.post("c", tool("use", "cap"))) == ["a"]
        server.call(lambda registry: registry._liveness.flush())
        client.delete("a")
        assert wired_to(client.post("c", tool("use", "cap"))) == ["b"]
        for suffix in ("", "-wal"):  # what a crash before the next flush leaves
            Path(f"{crashed}{suffix}").write_bytes((tmp_path / f"r.db{suffix}").read_bytes())
    with registry_on(server, crashed) as client:
        client.post("a", tool("cap"))
        assert client.head("c") == 202
