"""Agents that were imported: they send no sign of life, and give way to those that do."""

from pathlib import Path

from tests.http.client import Client, VirtualClock, registry_on, tool, wired_to
from tests.http.lifecycle import agents, sweep
from tests.service import Service


def put(client: Client, agent_id: str, *capabilities: str, **fields: object) -> str:
    """Import an agent; return the outcome."""
    listed = [{"name": name} for name in capabilities]
    record = {"agent_id": agent_id, "endpoint": f"https://{agent_id}", "capabilities": listed}
    response = client.http.put(f"/agents/{agent_id}", json=record | fields)
    assert response.status_code in (200, 201), response.text
    return str(response.json()["outcome"])


def test_imported_agents_never_time_out(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """An imported agent stays healthy and wired without signs of life, over a restart too."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        assert put(client, "listed", "cap") == "created"
        assert put(client, "listed", "cap") == "unchanged"
        assert put(client, "listed", "cap", version="2") == "updated"
        clock.seconds = 10**6
        assert (client.expire(), sweep(server)) == (0, 0)
        assert wired_to(client.post("c", tool("use", "cap"))) == ["listed"]
    clock.seconds *= 2
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        clock.seconds *= 2
        client.expire()
        assert agents(client)["listed"]["status"] == "healthy"


def test_unregistering_removes_imported_agents(
    client: Client, server: Service, clock: VirtualClock
) -> None:
    """An imported agent that is deleted is taken from its consumers, then removed by a sweep."""
    put(client, "listed", "cap")
    client.post("c", tool("use", "cap"))
    client.delete("listed")
    assert client.head("c") == 202
    assert wired_to(client.post("c", tool("use", "cap"))) == [""]
    clock.seconds = 3700
    sweep(server)
    assert "listed" not in agents(client)


def test_retention_of_an_imported_agent_begins_when_it_leaves(
    client: Client, server: Service, clock: VirtualClock
) -> None:
    """The retention of an imported agent begins when it leaves, however long ago its import was."""
    # It gave no sign of life since its import, and nobody expected one.
    put(client, "listed", "cap")
    clock.seconds = 7200
    client.delete("listed")
    sweep(server)
    assert agents(client)["listed"]["status"] == "unhealthy"


def test_put_against_a_living_agent_is_refused(client: Client) -> None:
    """An import does not replace an agent that is alive, and changes nothing of it."""
    client.post("a", tool("cap"))
    before = agents(client)["a"]
    response = client.http.put("/agents/a", json={"agent_id": "a"})
    assert response.status_code == 409
    assert set(response.json()) == {"error", "timestamp"}
    assert agents(client)["a"] == before
    assert client.head("a") == 200


def test_post_takes_over_an_imported_id(client: Client, clock: VirtualClock) -> None:
    """A POST makes an imported record its agent's own, until the agent is dead."""
    put(client, "a", "old", description="listed", source="file")
    client.post("a", tool("new"))
    stored = client.get("/agents/a")
    assert [c["name"] for c in stored["capabilities"]] == ["new"]
    assert (stored["leased"], stored["endpoint"]) == (True, "http://a:80")
    assert (stored["source"], stored["description"]) == (None, "")
    clock.seconds = 21
    assert client.expire() == 1
    assert put(client, "a", "old") == "updated"


def test_post_takes_over_with_a_body_sent_before_the_import(client: Client) -> None:
    """The shortcut for a repeated body does not outlive the record that the body made."""
    client.post("a", tool("new"))
    client.delete("a")
    put(client, "a", "old")
    client.head("a")
    client.post("a", tool("new"))
    stored = client.get("/agents/a")
    assert stored["leased"]
    assert [c["name"] for c in stored["capabilities"]] == ["new"]


def test_head_of_an_imported_id_asks_to_register(client: Client) -> None:
    """An agent that was replaced by an import while it was silent is not told that all is well."""
    client.post("a", tool("new"))
    client.delete("a")
    put(client, "a", "old")
    assert client.head("a") != 200
