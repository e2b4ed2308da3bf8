"""Who is alive: time-outs, revival, retention and restarts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs
from tests.http.test_signals import QUIET, Client, Json, VirtualClock, registry_on, tool, wired_to
from tests.service import Service

from meshaccel.registry.service import AgentRegistry


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def mesh(server: Service, tmp_path: Path, clock: VirtualClock) -> Iterator[Client]:
    """An empty registry in ``r.db``."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        yield client


def sweep(server: Service) -> int:
    return server.call(lambda registry: registry._liveness.sweep())


def flush(server: Service) -> None:
    server.call(lambda registry: registry._liveness.flush())


def agents(mesh: Client) -> dict[str, Json]:
    return {agent["id"]: agent for agent in mesh.get("/agents")["agents"]}


def events(mesh: Client, **query: str) -> list[str]:
    """Return types of events, oldest first."""
    return [event["event_type"] for event in reversed(mesh.get("/events", **query)["events"])]


def put(mesh: Client, agent_id: str, *capabilities: str, **fields: object) -> str:
    """Import an agent; return the outcome."""
    listed = [{"name": name} for name in capabilities]
    record = {"agent_id": agent_id, "endpoint": f"https://{agent_id}", "capabilities": listed}
    response = mesh.http.put(f"/agents/{agent_id}", json=record | fields)
    assert response.status_code in (200, 201), response.text
    return str(response.json()["outcome"])


def test_silence_up_to_the_timeout_is_life(mesh: Client, clock: VirtualClock) -> None:
    mesh.post("a")
    clock.seconds = 20
    assert mesh.expire() == 0
    assert mesh.head("a") == 200
    clock.seconds = 40.001
    assert mesh.expire() == 1
    assert mesh.expire() == 0
    assert mesh.head("a") == 410


def test_head_and_equal_post_are_signs_of_life(mesh: Client, clock: VirtualClock) -> None:
    for agent in ("silent", "heads", "posts"):
        mesh.post(agent, tool("cap"))
    for _ in range(5):
        clock.seconds += 10
        mesh.head("heads")
        mesh.post("posts", tool("cap"))
    assert mesh.expire() == 1
    assert {agent_id: agent["status"] for agent_id, agent in agents(mesh).items()} == {
        "silent": "unhealthy",
        "heads": "healthy",
        "posts": "healthy",
    }


def test_only_post_revives(mesh: Client, clock: VirtualClock) -> None:
    mesh.post("a", tool("cap"))
    clock.seconds = 21
    mesh.expire()
    before = agents(mesh)["a"]
    assert [mesh.head("a") for _ in range(3)] == [410, 410, 410]
    assert agents(mesh)["a"] == before
    assert before["status"] == "unhealthy"
    assert [c["available"] for c in before["capabilities"]] == [False]
    mesh.post("a", tool("cap"))
    assert mesh.head("a") == 200
    assert agents(mesh)["a"]["status"] == "healthy"
    assert events(mesh) == ["register", "unhealthy", "register"]
    assert mesh.get("/events")["events"][0]["data"]["reason"] == "recovery"


def test_going_down_does_not_move_last_seen(mesh: Client, clock: VirtualClock) -> None:
    mesh.post("a")
    clock.seconds = 7
    mesh.head("a")
    seen = agents(mesh)["a"]["last_seen"]
    clock.seconds = 30
    mesh.expire()
    mesh.delete("a")
    assert agents(mesh)["a"]["last_seen"] == seen


def test_last_seen_moves_with_head(mesh: Client, clock: VirtualClock) -> None:
    mesh.post("a")
    first = agents(mesh)["a"]
    clock.seconds = 3.5
    assert mesh.head("a") == 200
    second = agents(mesh)["a"]
    assert first["last_seen"] < second["last_seen"]
    assert second == first | {"last_seen": second["last_seen"]}


def test_retention_removes_and_leaves_a_tombstone(
    mesh: Client, server: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    mesh.post("gone", tool("cap"))
    mesh.post("stays", tool("use", "cap"))
    mesh.delete("gone")
    clock.seconds = 3600
    assert sweep(server) == 0
    clock.seconds = 3601
    assert sweep(server) == 1
    assert set(agents(mesh)) == {"stays"}
    assert mesh.head("gone") == 410
    assert mesh.http.get("/agents/gone").status_code == 404
    assert events(mesh, agent_id="gone") == ["register", "unregister", "expire"]
    with closing(sqlite3.connect(tmp_path / "r.db")) as conn:
        assert conn.execute("SELECT agent_id FROM tombstones").fetchall() == [("gone",)]
        assert conn.execute("SELECT name FROM capabilities").fetchall() == [("use",)]
        mesh.post("gone", tool("cap"))
        assert conn.execute("SELECT agent_id FROM tombstones").fetchall() == []


def test_revival_in_time_is_not_removed(mesh: Client, server: Service, clock: VirtualClock) -> None:
    mesh.post("a")
    mesh.delete("a")
    clock.seconds = 3599
    mesh.post("a")
    clock.seconds = 3602
    assert sweep(server) == 0
    assert mesh.head("a") == 200


def test_retention_zero_keeps_for_ever(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    settings = structs.replace(QUIET, retention_s=0)
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=settings) as mesh:
        mesh.post("a")
        mesh.delete("a")
        clock.seconds = 10**7
        assert sweep(server) == 0
        assert agents(mesh)["a"]["status"] == "unhealthy"


def test_leases_outlive_a_restart(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        mesh.post("a")
        mesh.post("b")
        clock.seconds = 9
        mesh.head("a")
        flush(server)
        seen = {agent_id: agent["last_seen"] for agent_id, agent in agents(mesh).items()}
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        again = {agent_id: agent["last_seen"] for agent_id, agent in agents(mesh).items()}
        assert again == seen
        assert (mesh.head("a"), mesh.head("b"), mesh.head("c")) == (200, 200, 410)


def test_downtime_is_not_the_silence_of_agents(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        mesh.post("quiet")
        clock.seconds = 15
        mesh.post("fresh")
    clock.seconds = 100_000
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        # 15 s of silence of "quiet" count, and the head start is 30 s - 20 s.
        clock.seconds = 100_014.9
        assert mesh.expire() == 0
        clock.seconds = 100_015.1
        assert mesh.expire() == 1
        assert (mesh.head("quiet"), mesh.head("fresh")) == (410, 200)


def test_start_up_grace(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        mesh.post("a")
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        clock.seconds = 29.9
        assert mesh.expire() == 0
        clock.seconds = 30.1
        assert mesh.expire() == 1
        assert mesh.head("a") == 410


def test_unhealthy_agents_stay_so_over_a_restart(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        mesh.post("a", tool("cap"))
        mesh.delete("a")
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        assert mesh.head("a") == 410
        assert agents(mesh)["a"]["status"] == "unhealthy"
        clock.seconds = 3700
        assert sweep(server) == 1
        assert agents(mesh) == {}


def test_retention_goes_on_where_nobody_is_left_to_beat(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """The time a registry was up counts for retention after a restart, beats or not."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        mesh.post("a")
        mesh.delete("a")
        flush(server)
        clock.seconds = 3000
        flush(server)
    with registry_on(server, tmp_path / "r.db", clock=clock):
        clock.seconds = 3700
        assert sweep(server) == 1


def test_api_agents_make_no_events(mesh: Client, clock: VirtualClock, server: Service) -> None:
    mesh.post("api", agent_type="api")
    clock.seconds = 21
    mesh.expire()
    mesh.post("api", agent_type="api")
    mesh.delete("api")
    clock.seconds = 4000
    assert sweep(server) == 1
    assert events(mesh) == []


def test_lifecycle_events(mesh: Client, server: Service, clock: VirtualClock) -> None:
    mesh.post("a")
    mesh.post("a")
    mesh.delete("a")
    mesh.delete("a")
    mesh.delete("never-seen")
    clock.seconds = 4000
    sweep(server)
    mesh.post("a")
    assert events(mesh) == ["register", "unregister", "expire", "register"]


def test_events_are_capped(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    settings = structs.replace(QUIET, max_events=5)
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=settings) as mesh:
        for number in range(9):
            mesh.post(f"a{number}")
        assert len(events(mesh)) == 9
        sweep(server)
        kept = [event["agent_id"] for event in mesh.get("/events")["events"]]
        assert kept == ["a8", "a7", "a6", "a5", "a4"]


def test_dependency_events_are_not_repeated(mesh: Client) -> None:
    mesh.post("c", tool("use", "cap"))
    for number in range(3):
        mesh.post("c", tool("use", "cap"), description=f"again {number}")
    mesh.post("p", tool("cap"))
    mesh.post("c", tool("use", "cap"))
    mesh.post("c", tool("use", "cap"), description="again")
    written = events(mesh, agent_id="c")
    assert written.count("dependency_unresolved") <= 1
    assert written.count("dependency_resolved") == 1


def test_imported_agents_never_time_out(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        assert put(mesh, "listed", "cap") == "created"
        assert put(mesh, "listed", "cap") == "unchanged"
        assert put(mesh, "listed", "cap", version="2") == "updated"
        clock.seconds = 10**6
        assert (mesh.expire(), sweep(server)) == (0, 0)
        assert wired_to(mesh.post("c", tool("use", "cap"))) == ["listed"]
    clock.seconds *= 2
    with registry_on(server, tmp_path / "r.db", clock=clock) as mesh:
        clock.seconds *= 2
        mesh.expire()
        assert agents(mesh)["listed"]["status"] == "healthy"


def test_unregistering_removes_imported_agents(
    mesh: Client, server: Service, clock: VirtualClock
) -> None:
    put(mesh, "listed", "cap")
    mesh.post("c", tool("use", "cap"))
    mesh.delete("listed")
    assert mesh.head("c") == 202
    assert wired_to(mesh.post("c", tool("use", "cap"))) == [""]
    clock.seconds = 3700
    sweep(server)
    assert "listed" not in agents(mesh)


def test_retention_of_an_imported_agent_begins_when_it_leaves(
    mesh: Client, server: Service, clock: VirtualClock
) -> None:
    """It gave no sign of life since its import, and nobody expected one."""
    put(mesh, "listed", "cap")
    clock.seconds = 7200
    mesh.delete("listed")
    sweep(server)
    assert agents(mesh)["listed"]["status"] == "unhealthy"


def test_put_against_a_living_agent_is_refused(mesh: Client) -> None:
    mesh.post("a", tool("cap"))
    before = agents(mesh)["a"]
    response = mesh.http.put("/agents/a", json={"agent_id": "a"})
    assert response.status_code == 409
    assert set(response.json()) == {"error", "timestamp"}
    assert agents(mesh)["a"] == before
    assert mesh.head("a") == 200


def test_post_takes_over_an_imported_id(mesh: Client, clock: VirtualClock) -> None:
    put(mesh, "a", "old", description="listed", source="file")
    mesh.post("a", tool("new"))
    stored = mesh.get("/agents/a")
    assert [c["name"] for c in stored["capabilities"]] == ["new"]
    assert (stored["leased"], stored["endpoint"]) == (True, "http://a:80")
    assert (stored["source"], stored["description"]) == (None, "")
    clock.seconds = 21
    assert mesh.expire() == 1
    assert put(mesh, "a", "old") == "updated"


def test_post_takes_over_with_a_body_sent_before_the_import(mesh: Client) -> None:
    """The shortcut for a repeated body does not outlive the record that the body made."""
    mesh.post("a", tool("new"))
    mesh.delete("a")
    put(mesh, "a", "old")
    mesh.head("a")
    mesh.post("a", tool("new"))
    stored = mesh.get("/agents/a")
    assert stored["leased"]
    assert [c["name"] for c in stored["capabilities"]] == ["new"]


def test_head_of_an_imported_id_asks_to_register(mesh: Client) -> None:
    """An agent that was replaced by an import while it was silent is not told that all is well."""
    mesh.post("a", tool("new"))
    mesh.delete("a")
    put(mesh, "a", "old")
    assert mesh.head("a") != 200


def test_reason_follows_an_agent_that_comes_back_with_other_tools(mesh: Client) -> None:
    """A provider that no longer offers a capability is not the reason that it is missing."""
    mesh.post("p", tool("cap"))
    mesh.post("c", tool("use", {"capability": "cap", "required": True}))
    mesh.delete("p")
    (before,) = agents(mesh)["c"]["capabilities"]
    assert "provider p unhealthy" in before["unavailable_reason"]
    mesh.post("p", tool("other"))
    (after,) = agents(mesh)["c"]["capabilities"]
    assert after["unavailable_reason"] == "required dep 'cap' unresolved"


def test_time_in_which_the_registry_stood_still_is_nobodys_silence(
    mesh: Client, clock: VirtualClock, server: Service
) -> None:
    """A registry that was suspended does not take its whole fleet for dead when it goes on."""

    async def resume(registry: AgentRegistry) -> int:
        clock.seconds += 100
        registry._liveness._ticked -= 100 + registry._settings.flush_interval_s
        registry._liveness._note_stall()
        return await registry._liveness.expire()

    mesh.post("a")
    assert server.call(resume) == 0
    assert mesh.head("a") == 200
