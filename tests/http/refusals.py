"""Checks that a refusal has its proper shape and changes nothing."""

import json
import socket
from contextlib import suppress
from datetime import datetime

import httpx
from tests.http.client import Client, Json
from tests.service import Service


def state(client: Client) -> Json:
    """Return all that is stored, but for the times at which agents were seen."""
    agents = [client.get(f"/agents/{agent['id']}") for agent in client.get("/agents")["agents"]]
    for agent in agents:
        del agent["last_seen"]
    return {"agents": agents, "events": client.get("/events"), "schemas": client.get("/schemas")}


def check_error(response: httpx.Response, *statuses: int) -> None:
    """Check the status and the shape of an error."""
    assert response.status_code in (statuses or (400,)), response.text[:300]
    assert response.headers["content-type"].startswith("application/json")
    assert set(response.json()) == {"error", "timestamp"}
    assert datetime.fromisoformat(response.json()["timestamp"]).tzinfo is not None


def refuse(client: Client, body: bytes, *statuses: int, **headers: str) -> None:
    """Post a body that must be refused and change nothing."""
    before = state(client)
    response = client.http.post("/heartbeat", content=body, headers=headers)
    check_error(response, *statuses)
    assert state(client) == before
    assert httpx.get(f"{client.http.base_url}/health", trust_env=False).status_code == 200
    assert (client.head("p"), client.head("c")) == (200, 200)


def rejected(client: Client, body: Json, field: str) -> None:
    """Post what breaks a rule of names: section 6 wants 200 with status error."""
    before = state(client)
    response = client.http.post("/heartbeat", json=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["agent_id"]) == ("error", body["agent_id"])
    assert field in answer["message"]
    assert client.head(body["agent_id"]) == 410 or body["agent_id"] in ("p", "c")
    assert state(client) == before


def raw(server: Service, *pieces: bytes, half: bool = False) -> bytes:
    """Send bytes; return all that comes until the server closes the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        received = bytearray()
        # A server that has refused does not wait for the rest: what had come is the answer.
        with suppress(ConnectionResetError, BrokenPipeError):
            for piece in pieces:
                connection.sendall(piece)
            if half:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return bytes(received)


def check_raw_error(answer: bytes, *statuses: int) -> None:
    """Check an error read from a raw connection; one without a body is fine."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), answer[:200]
    assert int(head.split()[1]) in statuses, answer[:200]
    if body:
        assert b"content-type: application/json" in head.lower(), answer[:300]
        assert set(json.loads(body)) == {"error", "timestamp"}
