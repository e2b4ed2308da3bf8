"""``GET /changes``: answers, tags, refusals, and streams of events."""

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from tests.http.client import QUIET, Client, VirtualClock, registry_on, tool
from tests.http.lifecycle import sweep
from tests.integration.processes import wait_for
from tests.service import Service

from meshaccel import FeedSettings
from meshaccel.http.guard import GuardedProtocol

Json = dict[str, Any]
EAGER = structs.replace(QUIET, feed=FeedSettings(gather_s=0.0))


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of ``client``."""
    return VirtualClock()


@pytest.fixture
def client(server: Service, tmp_path: Path, clock: VirtualClock) -> Iterator[Client]:
    """An empty registry in ``r.db``."""
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=EAGER) as opened:
        yield opened


def now(client: Client) -> dict[str, str | int]:
    """Return the query of a reader that knows everything."""
    answer = client.get("/changes")
    return {"epoch": answer["epoch"], "since": answer["to"]}


def ids(answer: Json) -> list[str]:
    return [f"{item['op']} {item['id']}" for item in answer.get("items", ())]


def readers(server: Service, count: int) -> None:
    """Wait until so many readers wait."""
    feed = server.registry.feed
    wait_for(f"{count} readers", lambda: feed.readers, lambda found: found == count, [])


def test_a_snapshot(client: Client) -> None:
    client.post("a", tool("weather"))
    answer = client.get("/changes")
    (item,) = answer["items"]
    assert (item["op"], item["id"], item["revision"], item["status"]) == (
        "upsert",
        "a",
        1,
        "healthy",
    )
    assert item["agent"]["endpoint"] == "http://a:80"
    assert item["agent"]["tools"][0]["capability"] == "weather"
    assert (answer["since"], answer["to"]) == (0, 1)
    assert len(answer["hash"]) == 32


def test_what_happened_since(client: Client, server: Service, clock: VirtualClock) -> None:
    """Each agent once, as it is now, and who is gone."""
    for name in ("a", "b", "c"):
        client.post(name)
    known = now(client)
    client.delete("b")
    client.delete("c")
    clock.seconds = 4000
    client.post("a")
    client.post("c")
    assert sweep(server) == 1
    assert ids(client.get("/changes", **known)) == ["upsert c", "remove b"]


def test_who_leaves_a_selection(client: Client) -> None:
    client.post("a", tool("x"))
    client.post("b", tool("x"))
    known = now(client)
    client.post("a", tool("y"))
    client.post("b", tool("x"), tool("y"))
    assert ids(client.get("/changes", selector="capability=x", **known)) == ["leave a", "upsert b"]
    # Whoever asks for the other capability never had "a".
    assert ids(client.get("/changes", selector="capability=z", **known)) == ["leave a", "leave b"]


def test_nothing_new_is_304(client: Client) -> None:
    """For as long as the state is the one that the tag names."""
    client.post("a")
    first = client.http.get("/changes")
    known = now(client) | {"wait": 0}
    tagged = {"if-none-match": first.headers["etag"]}
    again = client.http.get("/changes", params=known, headers=tagged)
    assert (again.status_code, again.content) == (304, b"")
    client.post("b")
    assert client.http.get("/changes", params=known, headers=tagged).status_code == 200


def test_what_is_gone(client: Client, server: Service, clock: VirtualClock) -> None:
    """410 says why, and what there is: who holds the same goes on from there."""
    client.post("a")
    known = now(client)
    for query, reason in (
        ({**known, "epoch": "another"}, "epoch"),
        ({"since": 1}, "epoch"),
        ({**known, "since": 99}, "future"),
    ):
        response = client.http.get("/changes", params=query)
        assert response.status_code == 410
        gone = response.json()
        assert gone["reason"] == reason
        assert gone["hash"] == client.get("/changes")["hash"]
        assert (gone["epoch"], gone["revision"]) == (known["epoch"], known["since"])
    client.delete("a")
    clock.seconds = 4000
    assert sweep(server) == 1
    clock.seconds += 25 * 3600
    client.post("b")
    sweep(server)
    assert client.http.get("/changes", params=known).json()["reason"] == "compacted"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("since=x", "since"),
        ("since=-1", "since"),
        ("limit=0", "limit"),
        ("known=1.5", "known"),
        ("bucket=256", "bucket"),
        ("bucket=-1", "bucket"),
        ("wait=soon", "wait"),
        ("selector=colour%3Dred", "selector"),
        ("selector=namespace", "selector"),
    ],
)
def test_malformed_queries(client: Client, query: str, place: str) -> None:
    for accept in ("*/*", "text/event-stream"):
        response = client.http.get(f"/changes?{query}", headers={"accept": accept})
        assert response.status_code == 400
        assert response.json()["error"].startswith(f"{place}: ")


def test_the_limit_has_limits(client: Client) -> None:
    for number in range(3):
        client.post(f"a{number}")
    first = client.get("/changes", limit=2)
    assert (ids(first), first["more"]) == (["upsert a0", "upsert a1"], True)
    assert "hash" not in first
    rest = client.get(
        "/changes", epoch=first["epoch"], since=first["to"], known=first["known"], limit=10**9
    )
    assert ids(rest) == ["upsert a2"]


def test_waiting(client: Client) -> None:
    known = now(client) | {"wait": 20}
    box: list[Json] = []
    waiting = threading.Thread(target=lambda: box.append(client.get("/changes", **known)))
    waiting.start()
    with httpx.Client(base_url=client.http.base_url, timeout=60, trust_env=False) as other:
        other.post("/heartbeat", json={"agent_id": "a"})
    waiting.join(60)
    assert ids(box[0]) == ["upsert a"]


@contextmanager
def streaming(client: Client, **headers: str) -> Iterator[Iterator[tuple[str, str, Json]]]:
    """Open a stream; yield (id, event, data)."""
    accept = {"accept": "text/event-stream"} | headers
    with client.http.stream("GET", "/changes", headers=accept) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        yield _events(response.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, Json]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def test_a_stream(client: Client, server: Service) -> None:
    """First what there is, then what changes; and its reader is forgotten when it leaves."""
    client.post("a")
    with httpx.Client(base_url=client.http.base_url, timeout=60, trust_env=False) as other:
        with streaming(client) as events:
            last, name, first = next(events)
            assert (name, ids(first)) == ("changes", ["upsert a"])
            other.post("/heartbeat", json={"agent_id": "b"})
            last, _, second = next(events)
            assert ids(second) == ["upsert b"]
            assert second["since"] == first["to"]
        other.post("/heartbeat", json={"agent_id": "c"})
        with streaming(client, **{"last-event-id": last}) as events:
            assert ids(next(events)[2]) == ["upsert c"]
    readers(server, 0)


def test_a_stream_from_another_history(client: Client) -> None:
    for last in ("another:3", "another", ":"):
        headers = {"accept": "text/event-stream", "last-event-id": last}
        response = client.http.get("/changes", headers=headers)
        assert response.status_code == (410 if last == "another:3" else 400)


def test_a_stream_ends_with_its_registry(server: Service, tmp_path: Path) -> None:
    """Nobody waits for its readers, and they can tell that it ended in order."""
    with registry_on(server, tmp_path / "r.db") as client, streaming(client) as events:
        next(events)
        server._run(_stop(server))
        assert not any(ids(answer) for _, _, answer in events)


async def _stop(server: Service) -> None:
    server.registry.feed.stop()


def test_a_stream_that_is_not_read_is_given_up(
    server: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its reader does not take is not kept for it: the next answer is not even made."""
    monkeypatch.setattr(GuardedProtocol, "read_timeout_s", 0.3)
    host, port = server.url.removeprefix("http://").split(":")
    large = tool("x", inputSchema={"description": "d" * 2_000_000})
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /changes HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n")
        readers(server, 1)
        for number in range(8):
            client.post(f"a{number}", large)
        readers(server, 0)


def test_the_digest(client: Client) -> None:
    empty = client.get("/changes/digest")
    client.post("a", namespace="eu")
    full = client.get("/changes/digest")
    assert full["revision"] == 1
    assert full["buckets"] != empty["buckets"]
    assert client.get("/changes/digest", selector="namespace=us")["buckets"] == empty["buckets"]
    assert client.http.get("/changes/else").status_code == 404


def test_a_database_without_a_feed_is_given_one(
    server: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """As one that was made by other rules: the agents stay, readers begin a new epoch."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        client.post("a", tool("weather"))
        before = client.get("/changes")
    with closing(sqlite3.connect(tmp_path / "r.db")) as conn:
        conn.execute("UPDATE meta SET feed_format = 0")
        conn.execute("UPDATE feed SET digest = x'00'")
        conn.commit()
    with registry_on(server, tmp_path / "r.db", clock=clock) as client:
        after = client.get("/changes")
    assert after["epoch"] != before["epoch"]
    assert (after["items"], after["hash"]) == (before["items"], before["hash"])
