"""HEAD answers 202 when and only when the asking agent's own wiring changed."""

from pathlib import Path

import pytest
from tests.http.client import Client, Json, VirtualClock, registry_on, tool, wired_to
from tests.service import Service

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
    """A change that concerns the consumer is signalled to it alone, until it posts again."""
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
    """A change of the provider that its consumer is not told about is not signalled."""
    tools, fields = IRRELEVANT[change]
    mesh.post("p", *tools, **fields)
    assert (mesh.head("c"), mesh.head("p")) == (200, 200)


def test_tags_and_versions_signal_whom_they_concern(mesh: Client) -> None:
    """A provider's new tags and versions signal those consumers alone that asked for them."""
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
    """A provider that is preferred signals the consumer; any other comes and goes unnoticed."""
    mesh.post("q", tool("cap", version="0.9.0"))
    assert mesh.head("c") == 200
    mesh.post("r", tool("cap", version="1.1.0"))
    assert mesh.head("c") == 202
    assert wired_to(mesh.post("c", tool("use", "cap"))) == ["r"]
    mesh.delete("q")
    assert mesh.head("c") == 200


def test_unregistering_and_revival_signal(mesh: Client) -> None:
    """A provider that unregisters signals its consumer, and so does one that comes back."""
    mesh.delete("p")
    assert (mesh.head("c"), mesh.head("p")) == (202, 410)
    assert wired_to(mesh.post("c", tool("use", "cap"))) == [""]
    assert mesh.head("c") == 200
    mesh.post("p", tool("cap"))
    assert (mesh.head("c"), mesh.head("p")) == (202, 200)


def test_death_signals(mesh: Client, clock: VirtualClock) -> None:
    """A provider that falls silent is taken for dead, and its consumer is signalled."""
    clock.seconds += 15
    assert mesh.head("c") == 200
    clock.seconds += 6
    assert mesh.expire() == 1
    assert (mesh.head("c"), mesh.head("p")) == (202, 410)


def test_there_and_back_again_is_no_change(mesh: Client) -> None:
    """A wiring that is again what the consumer was told is no change, whatever came between."""
    mesh.delete("p")
    mesh.post("p", tool("cap"))
    assert mesh.head("c") == 200
    mesh.post("p", tool("other"))
    assert mesh.head("c") == 202
    mesh.post("p", tool("cap"))
    assert mesh.head("c") == 200


def test_required_chain_signals_its_end(mesh: Client) -> None:
    """An agent is signalled when the far end of a chain of required dependencies comes or goes."""
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
    """A tool that changes signals the agents whose filters take it."""
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
    """An agent that asks for a language model is signalled when one comes and when it leaves."""
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
    """An agent is not signalled for what its own registration changed."""
    mesh.post("c", tool("use", "cap", "use"), http_port=90)
    assert mesh.head("c") == 200
    mesh.post("c", tool("use", "cap", "use"), http_port=91)
    assert mesh.head("c") == 200


def test_signals_survive_a_restart(server: Service, tmp_path: Path) -> None:
    """After a restart those agents are signalled that had not been told of a change before it."""
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
