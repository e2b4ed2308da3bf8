"""Who is alive: time-outs, revival, retention and restarts."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import structs
from tests.http.client import QUIET, Client, VirtualClock, registry_on, tool
from tests.http.lifecycle import agents, events, flush, sweep
from tests.service import Service

from meshaccel.registry.service import AgentRegistry


def test_silence_up_to_the_timeout_is_life(client: Client, clock: VirtualClock) -> None:
    """An agent is taken for dead after more silence than the time-out, and only once."""
    client.post("a")
    clock.seconds = 20
    assert client.expire() == 0
    assert client.head("a") == 200
    clock.seconds = 40.001
    assert client.expire() == 1
    assert client.expire() == 0
    assert client.head("a") == 410


def test_head_and_equal_post_are_signs_of_life(client: Client, clock: VirtualClock) -> None:
    """Agents that send HEAD or repeat their POST stay alive while a silent one does not."""
    for agent in ("silent", "heads", "posts"):
        client.post(agent, tool("cap"))
    for _ in range(5):
        clock.seconds += 10
        client.head("heads")
        client.post("posts", tool("cap"))
    assert client.expire() == 1
    assert {agent_id: agent["status"] for agent_id, agent in agents(client).items()} == {
        "silent": "unhealthy",
        "heads": "healthy",
        "posts": "healthy",
    }


def test_only_post_revives(client: Client, clock: VirtualClock) -> None:
    """An agent that is dead stays so for HEAD, and a POST brings it back."""
    client.post("a", tool("cap"))
    clock.seconds = 21
    client.expire()
    before = agents(client)["a"]
    assert [client.head("a") for _ in range(3)] == [410, 410, 410]
    assert agents(client)["a"] == before
    assert before["status"] == "unhealthy"
    assert [c["available"] for c in before["capabilities"]] == [False]
    client.post("a", tool("cap"))
    assert client.head("a") == 200
    assert agents(client)["a"]["status"] == "healthy"
    assert events(client) == ["register", "unhealthy", "register"]
    assert client.get("/events")["events"][0]["data"]["reason"] == "recovery"


def test_going_down_does_not_move_last_seen(client: Client, clock: VirtualClock) -> None:
    """Neither a time-out nor a DELETE moves the time at which an agent was last seen."""
    client.post("a")
    clock.seconds = 7
    client.head("a")
    seen = agents(client)["a"]["last_seen"]
    clock.seconds = 30
    client.expire()
    client.delete("a")
    assert agents(client)["a"]["last_seen"] == seen


def test_last_seen_moves_with_head(client: Client, clock: VirtualClock) -> None:
    """HEAD moves the time at which an agent was last seen, and nothing else."""
    client.post("a")
    first = agents(client)["a"]
    clock.seconds = 3.5
    assert client.head("a") == 200
    second = agents(client)["a"]
    assert first["last_seen"] < second["last_seen"]
    assert second == first | {"last_seen": second["last_seen"]}


REMOVED = "SELECT agent_id FROM feed WHERE digest IS NULL"


def test_retention_removes_and_is_remembered(
    client: Client, server: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """After its retention an agent is removed but for a row of the feed, which its return fills."""
    client.post("gone", tool("cap"))
    client.post("stays", tool("use", "cap"))
    client.delete("gone")
    clock.seconds = 3600
    assert sweep(server) == 0
    clock.seconds = 3601
    assert sweep(server) == 1
    assert set(agents(client)) == {"stays"}
    assert client.head("gone") == 410
    assert client.http.get("/agents/gone").status_code == 404
    assert events(client, agent_id="gone") == ["register", "unregister", "expire"]
    with closing(sqlite3.connect(tmp_path / "r.db")) as conn:
        assert conn.execute(REMOVED).fetchall() == [("gone",)]
        assert conn.execute("SELECT name FROM capabilities").fetchall() == [("use",)]
        client.post("gone", tool("cap"))
        assert conn.execute(REMOVED).fetchall() == []


def test_revival_in_time_is_not_removed(
    client: Client, server: Service, clock: VirtualClock
) -> None:
    """An agent that comes back before its retention has ended is kept."""
    client.post("a")
    client.delete("a")
    clock.seconds = 3599
    client.post("a")
    clock.seconds = 3602
    assert sweep(server) == 0
    assert client.head("a") == 200


def test_retention_zero_keeps_for_ever(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """A retention of zero keeps agents that have left for ever."""
    settings = structs.replace(QUIET, retention_s=0)
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=settings) as client:
        client.post("a")
        client.delete("a")
        clock.seconds = 10**7
        assert sweep(server) == 0
        assert agents(client)["a"]["status"] == "unhealthy"


def test_leases_outlive_a_restart(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    """Who was seen, and when, is known after a restart."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a")
        client.post("b")
        clock.seconds = 9
        client.head("a")
        flush(server)
        seen = {agent_id: agent["last_seen"] for agent_id, agent in agents(client).items()}
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        again = {agent_id: agent["last_seen"] for agent_id, agent in agents(client).items()}
        assert again == seen
        assert (client.head("a"), client.head("b"), client.head("c")) == (200, 200, 410)


def test_downtime_is_not_the_silence_of_agents(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """Time in which the registry was down does not count as silence; silence before it does."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("quiet")
        clock.seconds = 15
        client.post("fresh")
    clock.seconds = 100_000
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        # 15 s of silence of "quiet" count, and the head start is 30 s - 20 s.
        clock.seconds = 100_014.9
        assert client.expire() == 0
        clock.seconds = 100_015.1
        assert client.expire() == 1
        assert (client.head("quiet"), client.head("fresh")) == (410, 200)


def test_start_up_grace(server: Service, tmp_path: Path, clock: VirtualClock) -> None:
    """After a start agents have thirty seconds to be heard of, and no more."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a")
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        clock.seconds = 29.9
        assert client.expire() == 0
        clock.seconds = 30.1
        assert client.expire() == 1
        assert client.head("a") == 410


def test_unhealthy_agents_stay_so_over_a_restart(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """An agent that had left before a restart is still away after it, and is removed in time."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a", tool("cap"))
        client.delete("a")
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        assert client.head("a") == 410
        assert agents(client)["a"]["status"] == "unhealthy"
        clock.seconds = 3700
        assert sweep(server) == 1
        assert agents(client) == {}


def test_retention_goes_on_where_nobody_is_left_to_beat(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """The time a registry was up counts for retention after a restart, beats or not."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a")
        client.delete("a")
        flush(server)
        clock.seconds = 3000
        flush(server)
    with registry_on(server, tmp_path / "r.db", clock=clock):
        clock.seconds = 3700
        assert sweep(server) == 1


def test_reason_follows_an_agent_that_comes_back_with_other_tools(client: Client) -> None:
    """A provider that no longer offers a capability is not the reason that it is missing."""
    client.post("p", tool("cap"))
    client.post("c", tool("use", {"capability": "cap", "required": True}))
    client.delete("p")
    (before,) = agents(client)["c"]["capabilities"]
    assert "provider p unhealthy" in before["unavailable_reason"]
    client.post("p", tool("other"))
    (after,) = agents(client)["c"]["capabilities"]
    assert after["unavailable_reason"] == "required dep 'cap' unresolved"


def test_time_in_which_the_registry_stood_still_is_nobodys_silence(
    client: Client, clock: VirtualClock, server: Service
) -> None:
    """A registry that was suspended does not take its whole fleet for dead when it goes on."""

    async def resume(registry: AgentRegistry) -> int:
        clock.seconds += 100
        registry._liveness._ticked -= 100 + registry._settings.flush_interval_s
        registry._liveness._note_stall()
        return await registry._liveness.expire()

    client.post("a")
    assert server.call(resume) == 0
    assert client.head("a") == 200


def test_revival_survives_a_crash_before_the_next_batch(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """An agent that came back after a long absence is not found silent by the next registry."""
    crashed = tmp_path / "crashed.db"
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a")
        flush(server)
        client.post("other")
        clock.seconds = 1000
        assert client.expire() == 2
        client.post("other")
        flush(server)
        client.post("a")
        for suffix in ("", "-wal"):  # what a crash before the next flush leaves
            (tmp_path / f"crashed.db{suffix}").write_bytes(
                (tmp_path / f"r.db{suffix}").read_bytes()
            )
    with registry_on(server, crashed, clock=clock) as client:
        clock.seconds += 25
        assert client.expire() == 0
        assert client.head("a") == 200
