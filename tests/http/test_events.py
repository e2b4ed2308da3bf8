"""Which events are written, and which are kept."""

from pathlib import Path

from msgspec import structs
from tests.http.client import QUIET, Client, VirtualClock, registry_on, tool
from tests.http.lifecycle import events, sweep
from tests.service import Service


def test_api_agents_make_no_events(client: Client, clock: VirtualClock, server: Service) -> None:
    """An agent of type ``api`` comes, dies, returns and is removed without any event."""
    client.post("api", agent_type="api")
    clock.seconds = 21
    client.expire()
    client.post("api", agent_type="api")
    client.delete("api")
    clock.seconds = 4000
    assert sweep(server) == 1
    assert events(client) == []


def test_lifecycle_events(client: Client, server: Service, clock: VirtualClock) -> None:
    """Each change in an agent's life writes one event, and repeating a request writes none."""
    client.post("a")
    client.post("a")
    client.delete("a")
    client.delete("a")
    client.delete("never-seen")
    clock.seconds = 4000
    sweep(server)
    client.post("a")
    assert events(client) == ["register", "unregister", "expire", "register"]


def test_events_are_capped(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    """A sweep keeps the newest events up to the limit."""
    settings = structs.replace(QUIET, max_events=5)
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=settings) as client:
        for number in range(9):
            client.post(f"a{number}")
        assert len(events(client)) == 9
        sweep(server)
        kept = [event["agent_id"] for event in client.get("/events")["events"]]
        assert kept == ["a8", "a7", "a6", "a5", "a4"]


def test_dependency_events_are_not_repeated(client: Client) -> None:
    """A dependency is reported as resolved once, however often its agent posts."""
    client.post("c", tool("use", "cap"))
    for number in range(3):
        client.post("c", tool("use", "cap"), description=f"again {number}")
    client.post("p", tool("cap"))
    client.post("c", tool("use", "cap"))
    client.post("c", tool("use", "cap"), description="again")
    written = events(client, agent_id="c")
    assert written.count("dependency_unresolved") <= 1
    assert written.count("dependency_resolved") == 1
