"""Requests that are malformed, too large, too slow or pipelined, byte by byte."""

import socket

import pytest
from tests.http.client import Client
from tests.http.refusals import check_raw_error, raw, state
from tests.service import Service

from meshaccel.http.guard import GuardedProtocol

POST = b"POST /heartbeat HTTP/1.1\r\n"

HEADS: dict[str, bytes] = {
    "garbage": b"\x00\xff\xfe garbage\r\n\r\n",
    "content-length of letters": POST + b"Content-Length: abc\r\n\r\n",
    "negative content-length": POST + b"Content-Length: -1\r\n\r\n",
    "enormous content-length": POST + b"Content-Length: %b\r\n\r\n" % (b"9" * 30),
    "two content-lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": (
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "unknown method": b"FOO /health HTTP/1.1\r\n\r\n",
    "connect": b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
    "no slash": b"GET health HTTP/1.1\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\n\r\n",
    "control character in the path": b"GET /agents/\x01 HTTP/1.1\r\n\r\n",
    "bytes beyond ASCII in the path": b"GET /agents/\xc3\xa9 HTTP/1.1\r\n\r\n",
    "bytes beyond ASCII in the query": b"GET /agents?type=\xff HTTP/1.1\r\n\r\n",
    "no body": POST + b"Connection: close\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "header without colon": b"GET /health HTTP/1.1\r\nx\r\n\r\n",
    "space in a header's name": b"GET /health HTTP/1.1\r\na b: c\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_malformed_request(mesh: Client, server: Service, name: str) -> None:
    """A malformed request gets a 4xx in the error shape and changes nothing."""
    before = state(mesh)
    check_raw_error(raw(server, HEADS[name]), 400, 404)
    assert state(mesh) == before


FILLERS: dict[str, bytes] = {
    "one header": b"GET /health HTTP/1.1\r\nx: %b\r\nConnection: close\r\n\r\n" % (b"x" * 100_000),
    "many headers": b"GET /health HTTP/1.1\r\n"
    + b"x: 1\r\n" * 20_000
    + b"Connection: close\r\n\r\n",
    "query": b"GET /agents?type=%b HTTP/1.1\r\nConnection: close\r\n\r\n" % (b"x" * 100_000),
    "path": b"GET /%b HTTP/1.1\r\nConnection: close\r\n\r\n" % (b"x" * 100_000),
    "endless": b"GET /health HTTP/1.1\r\nx: " + b"x" * 100_000,
}


@pytest.mark.parametrize("piece", [1000, 1_000_000])
@pytest.mark.parametrize("name", FILLERS)
def test_head_over_the_limit(mesh: Client, server: Service, name: str, piece: int) -> None:
    """A head over the limit is refused, however it is cut into packets."""
    head = FILLERS[name]
    pieces = [head[i : i + piece] for i in range(0, len(head), piece)]
    check_raw_error(raw(server, *pieces), 431, 414)
    assert mesh.head("p") == 200


def test_head_below_the_limit_is_served(mesh: Client) -> None:
    """A head just below the limit is served, be it long by a header or by its query."""
    response = mesh.http.get("/health", headers={"x": "x" * 60_000})
    assert response.status_code == 200
    assert mesh.http.get("/agents", params={"type": "x" * 60_000}).json()["agents"] == []


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\r\n",
        b"GET /hea",
        b"GET /health HTTP/1.1\r\nHost: x\r\n",
        b'POST /heartbeat HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"agent_id":"new"',
        b"POST /heartbeat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_half_a_request_is_given_up(
    mesh: Client, server: Service, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """A request that stops half-way is given up and changes nothing."""
    monkeypatch.setattr(GuardedProtocol, "receive_timeout_s", 0.2)
    before = state(mesh)
    answer = raw(server, start)
    if answer:
        check_raw_error(answer, 400, 408)
    assert state(mesh) == before


def test_slow_but_steady_request_is_given_up_too(
    mesh: Client, server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that trickles in is given up, though none of its pauses is long."""
    monkeypatch.setattr(GuardedProtocol, "receive_timeout_s", 0.3)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 0.02) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        closed = False
        for _ in range(3000):
            try:
                connection.sendall(b"x: y\r\n")
                closed = connection.recv(100) == b""
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                closed = True
            if closed:
                break
        assert closed
    assert mesh.head("p") == 200


def test_pipelined_requests_are_answered_in_order(mesh: Client, server: Service) -> None:
    """Pipelined requests are all answered, in their order."""
    one = b"GET /agents/%b HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b'{"agent_id":"new"}'
    post = b"POST /heartbeat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    last = b"HEAD /heartbeat/new HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = raw(server, one % b"p" + one % b"c" + post + one % b"new" + last)
    statuses = [line for line in answer.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert [line[-6:] for line in statuses] == [b"200 OK"] * 5
    order = [answer.index(b'"id":"%b"' % name) for name in (b"p", b"c", b"new")]
    assert order == sorted(order)
    assert mesh.head("new") == 200


def test_pipelined_request_after_a_large_body(mesh: Client, server: Service) -> None:
    """The bytes of a body do not count as bytes of the next request's head."""
    body = b'{"agent_id":"new","x":"%b"}' % (b"x" * 150_000)
    post = b"POST /heartbeat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    begun, rest = b"HEAD /heartbeat/new HTTP/1.1\r\n", b"Connection: close\r\n\r\n"
    for _ in range(5):
        answer = raw(server, post + begun, rest)
        assert b" 431 " not in answer
        assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert mesh.head("p") == 200


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
DELETE = b"DELETE /agents/p HTTP/1.1\r\nConnection: close\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("offer", [UPGRADE, b"upgrade: websocket\r\nconnection: UPGRADE\r\n"])
@pytest.mark.parametrize("pieces", [1, 2, 300])
def test_body_after_the_offer_of_another_protocol(
    mesh: Client, server: Service, offer: bytes, pieces: int
) -> None:
    """It is a body, and no request: proxies that let it pass have not looked at it as one."""
    head = b"GET /health HTTP/1.1\r\n" + offer + b"Content-Length: %d\r\n\r\n" % len(DELETE)
    sent = [head + DELETE + LAST] if pieces == 1 else [head, DELETE, LAST]
    if pieces > 2:
        sent = [bytes([byte]) for byte in b"".join(sent)]
    answer = raw(server, *sent)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"HTTP/1.1") == 2
    assert mesh.head("p") == 200


def test_declaration_after_the_offer_of_another_protocol(mesh: Client, server: Service) -> None:
    """Java's client offers HTTP/2 with the first request of each connection."""
    body = b'{"agent_id":"java"}'
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = raw(server, POST + UPGRADE + chunked, LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert mesh.head("java") == 200


def test_many_offers_at_once(mesh: Client, server: Service) -> None:
    """Each is a request like others."""
    asked = b"HEAD /heartbeat/p HTTP/1.1\r\n" + UPGRADE + b"\r\n"
    answer = raw(server, asked * 1000 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 1001
    assert mesh.head("p") == 200


def test_tunnel_is_refused(mesh: Client, server: Service) -> None:
    """What would go through it is no request either."""
    check_raw_error(raw(server, b"CONNECT /agents HTTP/1.1\r\n\r\n", DELETE), 400)
    assert mesh.head("p") == 200


def test_answers_without_a_body_say_no_length(mesh: Client) -> None:
    """RFC 9110, section 8.6: that of a 304 would be the length of what the client has."""
    known = mesh.http.get("/agents", headers={"if-none-match": "*"})
    left = mesh.http.delete("/agents/p")
    assert (known.status_code, left.status_code) == (304, 204)
    for answer in (known, left):
        assert not {"content-length", "transfer-encoding"} & set(answer.headers)
    assert mesh.http.get("/health").status_code == 200
