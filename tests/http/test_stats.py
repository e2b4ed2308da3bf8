"""``GET /stats`` counts what happened, and exactly that."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from tests.connections import on_readers
from tests.http.client import QUIET, Client, registry_on, tool
from tests.http.statements import queries, statements
from tests.integration.processes import wait_for
from tests.service import Service

from meshaccel import FeedSettings
from meshaccel.http.metrics import CLIENT_LEFT, OTHER, RequestTally, template
from meshaccel.registry.service import AgentRegistry

Json = dict[str, Any]


def requests(stats: Json) -> dict[str, Json]:
    return {f"{route['method']} {route['route']}": route for route in stats["requests"]}


def test_nothing_has_happened(client: Client) -> None:
    """Figures of nothing are null, not a flattering 0 or 100 %."""
    stats = client.get("/stats")
    assert stats["agents"] == {"healthy": 0, "unhealthy": 0, "total": 0}
    assert (stats["capabilities"], stats["revision"], stats["requests"]) == (0, 0, [])
    brief = stats["brief"]
    for name in (
        "queries_per_operation",
        "metadata_saved_percent",
        "cache_hit_ratio",
        "calls_avoided_percent",
        "bytes_avoided",
        "recovery_rate",
    ):
        assert brief[name] is None, name
    # To open the registry took connections.
    assert brief["acquire_ms_p50"] <= brief["acquire_ms_p99"]


def test_the_fleet(mesh: Client) -> None:
    mesh.delete("c")
    stats = mesh.get("/stats")
    assert stats["agents"] == {"healthy": 1, "unhealthy": 1, "total": 2}
    assert stats["capabilities"] == 2
    assert stats["revision"] == mesh.get("/changes")["to"] == stats["feed"]["revision"]
    assert stats["epoch"] == mesh.get("/changes")["epoch"]


def test_requests_by_route(mesh: Client) -> None:
    """By template and status; whatever the path holds makes no route of its own."""
    for agent_id in ("p", "nobody"):
        mesh.head(agent_id)
    for path in ("/agents/p", "/agents/nobody", "/nowhere", "/agents/a/b", "/%00/..%2f", "/x//"):
        mesh.http.get(path)
    mesh.http.request("PURGE", "/agents/p")
    found = requests(mesh.get("/stats"))
    assert {name: route["statuses"] for name, route in found.items()} == {
        "HEAD /heartbeat/{agent_id}": {"200": 1, "410": 1},
        "POST /heartbeat": {"200": 2},
        "GET /agents/{agent_id}": {"200": 1, "404": 1},
        "other other": {"404": 5},
    }
    beats = found["HEAD /heartbeat/{agent_id}"]
    assert (beats["count"], beats["errors"]) == (sum(beats["statuses"].values()), 0)
    assert 0 < beats["p50_ms"] <= beats["p99_ms"]


def test_a_client_that_leaves_is_counted(client: Client) -> None:
    head = client.get("/changes")
    query = f"/changes?epoch={head['epoch']}&since={head['to']}&wait=30"
    with pytest.raises(httpx.ReadTimeout):
        client.http.get(query, timeout=0.05)

    def statuses() -> Json:
        found: Json = requests(client.get("/stats"))["GET /changes"]["statuses"]
        return found

    wait_for("a client that left", statuses, lambda found: str(CLIENT_LEFT) in found, ())


def test_queries_are_those_that_run(mesh: Client, server: Service) -> None:
    """As many as SQLite itself traces, for what asked for them."""

    def counts() -> Json:
        operations: Json = mesh.get("/stats")["operations"]
        return operations

    with statements(server, writer=True) as written, statements(server) as seen:
        before = counts()
        seen.clear()
        mesh.get("/agents")
        listed = len(queries(seen))
        mesh.post("p", tool("cap", description="another"))
        after = counts()
    changed = len([sql for sql in queries(written) if not sql.startswith(("SAVEPOINT", "RELEASE"))])
    assert listed > 0
    assert after["list"]["queries"] - before["list"]["queries"] == listed
    assert after["list"]["calls"] - before["list"]["calls"] == 1
    registered = after["register"]["queries"] - before["register"]["queries"]
    assert changed <= registered <= changed + len(queries(seen))


def test_heartbeats_take_no_queries(mesh: Client) -> None:
    for _ in range(10):
        mesh.head("p")
    counts = mesh.get("/stats")["operations"]["heartbeat"]
    assert counts["calls"] == 10
    assert counts["queries"] == 0


def test_a_reader_who_waits(server: Service, tmp_path: Path) -> None:
    """It is one call, whose lag is measured from the commit on."""
    eager = structs.replace(QUIET, feed=FeedSettings(gather_s=0.0))
    with registry_on(server, tmp_path / "r.db", settings=eager) as client:
        client.post("p", tool("cap"))
        head = client.get("/changes")
        query = {"epoch": head["epoch"], "since": head["to"], "wait": 30}

        def read() -> int:
            queries: int = client.get("/stats")["operations"]["changes"]["queries"]
            return queries

        before = read()
        reader = threading.Thread(target=lambda: client.get("/changes", **query))
        reader.start()
        wait_for("a reader who found nothing", read, lambda found: found > before, ())
        client.post("q", tool("cap"))
        reader.join(60)
        told = client.get("/stats")["feed"]
    assert (told["calls"], told["documents"], told["readers"], told["notified"]) == (2, 2, 0, 1)
    assert told["lag_ms_p99"] is not None
    assert told["polled_bytes"] >= told["bytes"] > 0


def test_the_database_is_in_trouble(mesh: Client, server: Service) -> None:
    """What memory knows is told all the same; what it does not is null."""

    def refuse(conn: sqlite3.Connection) -> None:
        conn.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)

    async def trouble(registry: AgentRegistry) -> None:
        await on_readers(registry._database, refuse)

    server.call(trouble)
    stats = mesh.get("/stats")
    assert (stats["revision"], stats["capabilities"]) == (None, None)
    assert stats["agents"] == {"healthy": 2, "unhealthy": 0, "total": 2}
    assert stats["recovery"]["db.read"]["failed"] == 1


def test_routes_that_nobody_named() -> None:
    assert template("things", 3) == "/things/{}/{}"
    tally = RequestTally()
    tally.expect([("GET", "things", 2)])
    tally.count("GET", ["things", "7"], 503, 0.2)
    tally.count("BREW", ["pot"], 404, 40.0)
    first, other = tally.counts()
    assert (first.route, first.count, first.errors) == ("/things/{}", 1, 1)
    assert first.times.quantile_ms(0.5) == 250.0
    assert (other.route, other.method, other.errors) == (OTHER, OTHER, 0)
    assert other.times.quantile_ms(0.5) == 30_000.0


def test_what_comes_with_a_heartbeat_is_no_call(mesh: Client) -> None:
    head = mesh.get("/changes")
    before = mesh.get("/stats")["feed"]
    query = {"epoch": head["epoch"], "since": head["to"]}
    assert mesh.http.post("/heartbeat/p/changes", params=query).status_code == 200
    after = mesh.get("/stats")
    assert after["feed"]["calls"] == before["calls"] == 1
    assert after["feed"]["polls"] == before["polls"] + 1
    assert after["brief"]["calls_avoided_percent"] == 50.0


def test_polling_is_of_what_the_reader_selects(mesh: Client) -> None:
    """A reader of one agent among many would not poll for all of them."""
    for number in range(8):
        mesh.post(f"other-{number}", tool("elsewhere"))
    selected = mesh.get("/changes", selector="capability=cap")
    assert len(selected["items"]) == 1
    before = mesh.get("/stats")["feed"]
    assert before["polled_bytes"] == before["bytes"]
    query = {"epoch": selected["epoch"], "since": selected["to"], "selector": "capability=cap"}
    mesh.get("/changes", **query)
    after = mesh.get("/stats")["feed"]
    assert after["polled_bytes"] == 2 * before["polled_bytes"]
    assert after["bytes"] == before["bytes"]
