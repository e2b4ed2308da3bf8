"""Whatever is sent: a 4xx in the error shape, nothing stored, and the next request is served."""

import json
import socket
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http.test_signals import Client, Json, registry_on, tool, wired_to
from tests.service import Service

from meshaccel.http.guard import GuardedProtocol
from meshaccel.http.wire import CatalogueRecord
from meshaccel.models import Dependency, Tool
from meshaccel.registry.registration import Declaration

MAX_BODY = 200_000
DEEP = 50_000


@pytest.fixture
def mesh(server: Service, tmp_path: Path) -> Iterator[Client]:
    """A registry with a provider ``p`` and its consumer ``c``."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        yield client


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


# -- wrong types, from the definitions ---------------------------------------------------

SAMPLES: dict[str, object] = {
    "string": "text",
    "number": 7,
    "fraction": 7.5,
    "flag": True,
    "array": [7],
    "object": {"a": 7},
}


PLAIN: dict[object, set[str]] = {
    str: {"string"},
    datetime: {"string"},
    bool: {"flag"},
    int: {"number"},
    type(None): set(),
}
GENERIC: dict[object, set[str]] = {
    Literal: {"string"},
    tuple: {"array"},
    list: {"array"},
    dict: {"object"},
    Mapping: {"object"},
}


def kinds(annotation: Any) -> set[str]:
    """Return the kinds of JSON values that a type takes; raise for a type unknown here."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kinds(args[0])
    if origin in (Union, types.UnionType):
        return set().union(*map(kinds, args))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return {"object"}
    found = GENERIC.get(origin, PLAIN.get(annotation))
    assert found is not None, f"say here what JSON {annotation} takes"
    return found


def structs_in(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for argument in get_args(annotation):
        yield from structs_in(argument)


Place = tuple[str | int, ...]
Case = tuple[Place, object]


def wrong_values(struct: type[msgspec.Struct], place: Place = ()) -> Iterator[Case]:
    """Yield a place and a value of a wrong type for every field of a struct and those within."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        annotation = hints[field.name]
        here = (*place, field.encode_name)
        allowed = kinds(annotation)
        for kind, sample in SAMPLES.items():
            if kind not in allowed:
                yield here, sample
        if "array" in allowed:
            yield from ((here, [sample]) for sample in _wrong_members(annotation))
        for inner in structs_in(annotation):
            yield from wrong_values(inner, (*here, 0) if "array" in allowed else here)


def _wrong_members(annotation: Any) -> Iterator[object]:
    for option in (annotation, *get_args(annotation)):
        if get_origin(option) is tuple:
            members = [member for member in get_args(option) if member is not Ellipsis]
            allowed = set().union(*map(kinds, members))
            yield from (sample for kind, sample in SAMPLES.items() if kind not in allowed)


def body_with(place: Place, value: object) -> bytes:
    """Return a declaration with one value somewhere in it; ``0`` is a new array's only member."""
    for key in reversed(place):
        value = [value] if isinstance(key, int) else {str(key): value}
    assert isinstance(value, dict)
    return json.dumps({"agent_id": "new"} | value).encode()


CASES = list(wrong_values(Declaration))
CATALOGUE_CASES = list(wrong_values(CatalogueRecord))


def name_of(case: object) -> str:
    place, value = case if isinstance(case, tuple) else ((), case)
    return f"{'.'.join(map(str, place))}={json.dumps(value)}"


def test_cases_cover_every_struct() -> None:
    reached = {place[:-1] for place, _ in CASES}
    assert {(), ("tools", 0), ("tools", 0, "dependencies", 0), ("surfaces", 0)} <= reached
    for struct, depth in ((Declaration, 1), (Tool, 3), (Dependency, 5)):
        names = {str(place[-1]) for place, _ in CASES if len(place) == depth}
        assert {field.encode_name for field in msgspec.structs.fields(struct)} <= names


def test_wrong_types_are_refused(mesh: Client) -> None:
    """One round trip a case: the state is compared once, at the end."""
    before = state(mesh)
    for case in CASES:
        response = mesh.http.post("/heartbeat", content=body_with(*case))
        assert response.status_code == 400, name_of(case)
        check_error(response)
    assert state(mesh) == before


def test_wrong_types_are_refused_of_a_known_agent(mesh: Client) -> None:
    before = state(mesh)
    for case in CASES:
        if case[0] != ("agent_id",):
            body = json.loads(body_with(*case)) | {"agent_id": "p"}
            assert mesh.http.post("/heartbeat", json=body).status_code == 400, name_of(case)
    assert state(mesh) == before


def test_wrong_types_in_a_catalogue_record_are_refused(mesh: Client) -> None:
    before = state(mesh)
    for case in CATALOGUE_CASES:
        check_error(mesh.http.put("/agents/new", content=body_with(*case)))
    for body in (b"", b"[]", b"{}", b'{"agent_id":"other"}', b'{"agent_id":"new"'):
        check_error(mesh.http.put("/agents/new", content=body))
    assert state(mesh) == before


# -- bodies that are no declaration ------------------------------------------------------


def nested(depth: int, *, brackets: str = '{"a":|}') -> str:
    opening, closing = brackets.split("|")
    return opening * depth + "1" + closing * depth


def with_tool(**raw: str) -> bytes:
    """Return a declaration whose only tool has members given as JSON text."""
    members = "".join(f',"{name}":{value}' for name, value in raw.items())
    return (
        f'{{"agent_id":"new","tools":[{{"function_name":"f","capability":"x"{members}}}]}}'.encode(
            "utf-8", "surrogatepass"
        )
    )


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"agent_id=new",
    "truncated": b'{"agent_id":"new","tools":[{"function_name":"f',
    "array": b'[{"agent_id":"new"}]',
    "string": b'"new"',
    "number": b"7",
    "null": b"null",
    "two documents": b'{"agent_id":"new"}{"agent_id":"new"}',
    "trailing text": b'{"agent_id":"new"} new',
    "byte order mark": b'\xef\xbb\xbf{"agent_id":"new"}',
    "UTF-16": '{"agent_id":"new"}'.encode("utf-16"),
    "comment": b'{"agent_id":"new"/**/}',
    "trailing comma": b'{"agent_id":"new",}',
    "single quotes": b"{'agent_id':'new'}",
    "no agent_id": b'{"name":"new"}',
    "empty agent_id": b'{"agent_id":""}',
    "null agent_id": b'{"agent_id":null}',
    "invalid UTF-8 in a value": b'{"agent_id":"new","name":"\xff"}',
    "invalid UTF-8 in an unknown value": b'{"agent_id":"new","x":"\xff"}',
    "invalid UTF-8 in a key": b'{"agent_id":"new","\xff":1}',
    "overlong UTF-8": b'{"agent_id":"new","name":"\xc0\xaf"}',
    "encoded surrogate": b'{"agent_id":"new","name":"\xed\xa0\x80"}',
    "control character": b'{"agent_id":"new","name":"\x01"}',
    "lone surrogate": b'{"agent_id":"new","name":"\\ud800"}',
    "lone low surrogate": b'{"agent_id":"new","name":"\\udc00"}',
    "surrogate in an unknown field": b'{"agent_id":"new","x":"\\ud800"}',
    "surrogate in a schema": with_tool(inputSchema='{"a":"\\ud800"}'),
    "surrogate in a key of a schema": with_tool(inputSchema='{"\\udfff":1}'),
    "surrogate in kwargs": with_tool(kwargs='{"a":["\\ud800x"]}'),
    "surrogate in a tag": with_tool(tags='["\\ud800"]'),
    "NaN": with_tool(kwargs='{"a":NaN}'),
    "Infinity": with_tool(kwargs='{"a":-Infinity}'),
    "1e400": with_tool(kwargs='{"a":1e400}'),
    "5,000 digits": with_tool(kwargs=f'{{"a":{"9" * 5000}}}'),
    "port beyond 64 bits": b'{"agent_id":"new","http_port":9223372036854775808}',
    "port with a fraction": b'{"agent_id":"new","http_port":80.5}',
    "timestamp": b'{"agent_id":"new","timestamp":"yesterday"}',
    "timestamp without zone": b'{"agent_id":"new","timestamp":"2026-01-01T00:00:00"}',
    "deep unknown field": f'{{"agent_id":"new","x":{nested(DEEP)}}}'.encode(),
    "deep unknown array": f'{{"agent_id":"new","x":{nested(DEEP, brackets="[|]")}}}'.encode(),
    "deep array": nested(DEEP, brackets="[|]").encode(),
    "deep inputSchema": with_tool(inputSchema=nested(DEEP)),
    "deep outputSchemaCanonical": with_tool(outputSchemaCanonical=nested(DEEP)),
    "deep kwargs": with_tool(kwargs=nested(DEEP)),
    "deep and open": b'{"agent_id":"new","x":' + b"[" * DEEP,
    "deep tags": with_tool(dependencies=f'[{{"tags":{nested(DEEP, brackets="[|]")}}}]'),
}


@pytest.mark.parametrize("name", BODIES)
def test_body_is_refused(mesh: Client, name: str) -> None:
    refuse(mesh, BODIES[name])


@pytest.mark.parametrize("field", ["kwargs", "inputSchema"])
def test_no_depth_that_is_taken_harms_others(mesh: Client, field: str) -> None:
    """A provider whose values are as deep as can be is refused, or served to its consumers."""
    taken = 0
    for depth in (100, 900, *range(940, 1000)):
        body = with_tool(**{field: nested(depth)}).replace(b'"x"', b'"deep"')
        status = mesh.http.post("/heartbeat", content=body).status_code
        assert status in (200, 400)
        taken += status == 200
        deep = tool("use", "deep", llm_filter={"filter": ["deep"]})
        answer = mesh.http.post("/heartbeat", json={"agent_id": "d", "tools": [deep]})
        assert answer.status_code == 200, f"{depth} levels"
        for path in ("/agents", "/agents/d", "/agents/new", "/schemas"):
            assert mesh.http.get(path).status_code == 200, f"{depth} levels"
        mesh.http.post("/heartbeat", content=with_tool())
    assert taken


ODD_BUT_VALID: dict[str, bytes] = {
    "unknown fields": b'{"agent_id":"new","x":{"y":[1]},"status":"healthy","llm_agents":{}}',
    "unknown fields of a tool": with_tool(x='{"y":1}', dependencies='[{"capability":"c","z":1}]'),
    "duplicate keys": b'{"agent_id":"p","agent_id":"new","name":"a","name":"b"}',
    "nulls": b'{"agent_id":"new","name":null,"tools":null,"http_port":null,"timestamp":null}',
    "null tool": b'{"agent_id":"new","tools":[null,{}]}',
    "NUL": with_tool(description='"a\\u0000b"', kwargs='{"\\u0000":"\\u0000"}', tags='["\\u0000"]'),
    "surrogate pairs": with_tool(description='"\\ud83d\\ude00"'),
    "huge integer": with_tool(kwargs=f'{{"a":{"9" * 30}}}'),
    "tiny number": with_tool(kwargs='{"a":1e-400}'),
    "white space": b' \r\n\t{"agent_id" : "new"} \n',
    "odd port": b'{"agent_id":"new","http_port":-1}',
    "largest port": b'{"agent_id":"new","http_host":"h","http_port":9223372036854775807}',
}


@pytest.mark.parametrize("name", ODD_BUT_VALID)
def test_odd_body_is_taken(mesh: Client, name: str) -> None:
    response = mesh.http.post("/heartbeat", content=ODD_BUT_VALID[name])
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["agent_id"]) == ("success", "new")
    assert mesh.get("/agents/new")["id"] == "new"
    assert mesh.get("/agents")["count"] == 3
    assert (mesh.head("new"), mesh.head("p"), mesh.head("c")) == (200, 200, 200)


def test_capability_with_a_nul_is_found(mesh: Client) -> None:
    """Or refused: names that are stored are names that can be asked for."""
    odd = {"agent_id": "new", "tools": [tool("a\0b")]}
    response = mesh.http.post("/heartbeat", json=odd)
    if response.status_code == 200:
        assert wired_to(mesh.post("c", tool("use", "a\0b"))) == ["new"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "\xff", "a/b; c=ü"]
)
def test_content_type_does_not_matter(mesh: Client, content_type: str) -> None:
    headers = {b"content-type": content_type.encode("latin-1")}
    response = mesh.http.post("/heartbeat", content=b'{"agent_id":"new"}', headers=headers)
    assert response.status_code == 200
    refuse(mesh, b"agent_id=new")


def test_ten_thousand_tools(mesh: Client) -> None:
    tools = [tool(f"cap-{i}", "cap", tags=["a"], description="d" * 50) for i in range(10_000)]
    answer = mesh.post("new", *tools)
    assert len(answer["dependencies_resolved"]) == 10_000
    assert len(mesh.get("/agents/new")["capabilities"]) == 10_000
    assert mesh.head("new") == 200
    assert mesh.post("new")["dependencies_resolved"] == {}


# -- limits of text ----------------------------------------------------------------------


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


@pytest.mark.parametrize(("field", "limit"), [("agent_id", 253), ("name", 63), ("namespace", 63)])
def test_names_at_and_past_their_limits(mesh: Client, field: str, limit: int) -> None:
    body: Json = {"agent_id": "new", "name": "new"}
    rejected(mesh, body | {field: "a" * (limit + 1)}, field)
    taken = mesh.http.post("/heartbeat", json=body | {field: "a" * limit})
    assert taken.json()["status"] == "success"


@pytest.mark.parametrize("name", ["名前", "😀", "A", "a_b", "-a", "a-", "a b", "a\n", "a\0", "é"])
@pytest.mark.parametrize("field", ["agent_id", "name", "namespace"])
def test_names_break_the_rules(mesh: Client, field: str, name: str) -> None:
    rejected(mesh, {"agent_id": "new", field: name}, field)


@pytest.mark.parametrize("field", ["agent_type", "runtime"])
def test_unknown_type_is_rejected(mesh: Client, field: str) -> None:
    rejected(mesh, {"agent_id": "new", field: "perl"}, field)


def test_required_cycle_is_rejected(mesh: Client) -> None:
    mesh.post("x", tool("x", {"capability": "y", "required": True}))
    body = {"agent_id": "y", "tools": [tool("y", {"capability": "x", "required": True})]}
    rejected(mesh, body, "x")


@pytest.mark.parametrize("character", ["a", "é", "名", "😀"])
def test_descriptions_are_cut_by_characters(mesh: Client, character: str) -> None:
    answer = mesh.post("new", description=character * 256)
    assert "warnings" not in answer
    assert mesh.get("/agents/new")["description"] == character * 256
    answer = mesh.post("new", description=character * 257)
    assert len(answer["warnings"]) == 1
    assert mesh.get("/agents/new")["description"] == character * 256
    assert mesh.post("new", description=character * 257)["warnings"] == answer["warnings"]


# -- sizes -------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit(server: Service, tmp_path: Path, *, chunked: bool) -> None:
    start = b'{"agent_id":"new","x":"'
    with server.open(tmp_path / "r.db", max_body=MAX_BODY), Client(server) as client:
        for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413), (10 * MAX_BODY, 413)):
            body = start + b"x" * (size - len(start) - 2) + b'"}'
            pieces = (body[i : i + 9000] for i in range(0, size, 9000))
            response = client.http.post("/heartbeat", content=pieces if chunked else body)
            assert response.status_code == status
            if status == 413:
                check_error(response, 413)
            assert client.head("new") == 200


# -- the frame of HTTP -------------------------------------------------------------------


def raw(server: Service, *pieces: bytes, half: bool = False) -> bytes:
    """Send bytes; return all that comes until the server closes the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
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
    "asterisk": b"OPTIONS * HTTP/1.1\r\n\r\n",
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
    """However it is cut into packets."""
    head = FILLERS[name]
    pieces = [head[i : i + piece] for i in range(0, len(head), piece)]
    check_raw_error(raw(server, *pieces), 431, 414)
    assert mesh.head("p") == 200


def test_head_below_the_limit_is_served(mesh: Client) -> None:
    response = mesh.http.get("/health", headers={"x": "x" * 60_000})
    assert response.status_code == 200
    assert mesh.http.get("/agents", params={"type": "x" * 60_000}).json()["agents"] == []


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /hea",
        b"GET /health HTTP/1.1\r\nHost: x\r\n",
        b'POST /heartbeat HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"agent_id":"new"',
        b"POST /heartbeat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_half_a_request_is_given_up(
    mesh: Client, server: Service, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(GuardedProtocol, "receive_timeout_s", 0.2)
    before = state(mesh)
    answer = raw(server, start)
    if answer:
        check_raw_error(answer, 400, 408)
    assert state(mesh) == before


def test_slow_but_steady_request_is_given_up_too(
    mesh: Client, server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "receive_timeout_s", 0.3)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 0.02) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        closed = False
        for _ in range(200):
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


# -- paths, methods, queries -------------------------------------------------------------

UNKNOWN = (
    """
GET /nope|GET /agents/|GET //|GET /agents/p/x|POST /|POST /agents|PUT /agents|PATCH /agents/p
DELETE /agents|GET /heartbeat|GET /heartbeat/p|PUT /heartbeat|DELETE /heartbeat/p|POST /heartbeat/p
POST /heartbeat/|OPTIONS /agents|POST /jobs/claim|POST /events|DELETE /schemas/x|GET /schemas/x
GET /agents/%FF|GET /agents/%00|GET /agents/%ED%A0%80|GET /agents/%|GET /agents/%zz|GET /AGENTS
GET /agents/%F0%9F%98%80|GET /agents%2Fp|GET /./agents/p|GET /%2e%2e/agents|TRACE /health
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize("start", [*UNKNOWN, "GET /agents/" + "x" * 5000], ids=lambda s: s[:30])
def test_unknown_path_or_method(mesh: Client, server: Service, start: str) -> None:
    before = state(mesh)
    request = f"{start} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    check_raw_error(raw(server, request.encode()), 404)
    assert state(mesh) == before


@pytest.mark.parametrize("path", ["%FF", "%00", "%ED%A0%80", "%", "%zz", "%F0%9F%98%80", "a%2Fb"])
def test_odd_ids_in_paths(mesh: Client, server: Service, path: str) -> None:
    before = state(mesh)
    for method, status in (("HEAD", 410), ("DELETE", 204)):
        target = f"/heartbeat/{path}" if method == "HEAD" else f"/agents/{path}"
        answer = raw(server, f"{method} {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        assert int(answer.split()[1]) == status
    assert state(mesh) == before


BAD_QUERIES = [
    "/agents?limit=0", "/agents?limit=-1", "/agents?limit=", "/agents?limit=x", "/agents?limit=1.5",
    "/agents?limit=%C2%B2", "/agents?limit=%D9%A1", "/agents?limit=99999999999999999999",
    "/agents?limit=+1", "/agents?limit=--1", "/agents?limit=1_0", "/agents?limit=%FF",
    "/agents?limit=x&limit=1", "/agents?cursor=!", "/agents?cursor=%FF", "/agents?cursor=_w",
    "/agents?cursor=a", "/agents?cursor=%C3%A9", "/agents?fuzzy=yes", "/agents?fuzzy=2",
    "/agents?type=%FF", "/agents?%FF=1", "/agents?" + "&".join(["a=b"] * 2000),
    "/events?limit=x", "/events?limit=", "/events?type=%FF", "/events?limit=9" + "9" * 5000,
    "/schemas?limit=-1", "/schemas?limit=x", "/schemas?limit=%FF",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_QUERIES, ids=lambda path: path[:40])
def test_bad_query(mesh: Client, server: Service, path: str) -> None:
    answer = raw(server, f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    check_raw_error(answer, 400)
    assert mesh.head("p") == 200


GOOD_QUERIES = {
    "/agents?limit=1": 1, "/agents?limit=1&limit=x": 1, "/agents?fuzzy=1&capabilities=CA": 1,
    "/agents?capabilities=cap&capabilities=use": 2, "/agents?capabilities=cap&fuzzy=0": 1,
    "/agents?nothing=known": 2, "/agents?status=healthy&type=mcp_agent&namespace=default": 2,
    "/agents?status=odd": 0, "/agents?type=%00": 0, "/agents?limit=999999999999999999": 2,
    "/agents?capabilities=%25": 0, "/agents?capabilities=_se&fuzzy=true": 0,
    "/agents?status=&type=&namespace=&cursor=": 2, "/agents?cursor=Yw": 1, "/agents?": 2,
    "/events?limit=-5": 1,
    "/events?limit=0": 1, "/events?type=register&limit=100000": 2, "/events?agent_id=p": 1,
    "/events?type=x": 0, "/events?function_name=x": 0, "/schemas?limit=0": 0,
}  # fmt: skip


@pytest.mark.parametrize("path", GOOD_QUERIES)
def test_odd_query_is_answered(mesh: Client, path: str) -> None:
    response = mesh.http.get(path)
    assert response.status_code == 200
    assert response.json()["count"] == GOOD_QUERIES[path]


def test_pages_join_to_the_whole(mesh: Client) -> None:
    for number in range(10):
        mesh.post(f"a{number}")
    whole = [agent["id"] for agent in mesh.get("/agents")["agents"]]
    for limit in (1, 5, 6, 12, 13):
        pages: list[str] = []
        query: dict[str, str | int] = {"limit": limit}
        while True:
            page = mesh.get("/agents", **query)
            pages += [agent["id"] for agent in page["agents"]]
            if "next_cursor" not in page:
                break
            query["cursor"] = page["next_cursor"]
        assert pages == whole


# -- random bodies -----------------------------------------------------------------------

texts = st.text(max_size=5) | st.sampled_from(["p", "c", "cap", "new", "*", "subset", ">=1", "+a"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def near(struct: type[msgspec.Struct]) -> st.SearchStrategy[object]:
    """Objects with a struct's fields, mostly of the right types."""
    hints = get_type_hints(struct, include_extras=True)
    fields = msgspec.structs.fields(struct)
    valid = {field.encode_name: near_type(hints[field.name]) for field in fields}
    return st.fixed_dictionaries({}, optional=valid) | st.fixed_dictionaries(
        {}, optional={name: strategy | values for name, strategy in valid.items()}
    )


def near_type(annotation: Any) -> st.SearchStrategy[object]:
    for inner in structs_in(annotation):
        one = near(inner)
        return st.lists(one, max_size=3) if "array" in kinds(annotation) else one
    simple: dict[str, st.SearchStrategy[object]] = {
        "string": texts,
        "flag": st.booleans(),
        "number": st.integers(-2, 2**64),
        "array": st.lists(texts | st.lists(texts, max_size=2), max_size=3),
        "object": st.dictionaries(texts, values, max_size=3),
    }
    return st.one_of(st.none(), *(simple[kind] for kind in sorted(kinds(annotation))))


@pytest.fixture(scope="module")
def wired(server: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same registry for all random bodies."""
    with registry_on(server, tmp_path_factory.mktemp("random") / "r.db") as client:
        yield client


@settings(max_examples=100, deadline=None)
@given(body=near(Declaration) | values, agent_id=st.none() | st.sampled_from(["p", "x", "y"]))
def test_random_bodies(wired: Client, body: object, agent_id: str | None) -> None:
    """Never a 5xx; what was stored is changed by a success alone, and kept whole."""
    if isinstance(body, dict) and agent_id is not None:
        body["agent_id"] = agent_id
    wired.post("keep", tool("cap", kwargs={"a": [1, 2.5, None]}))
    before = state(wired)
    response = wired.http.post("/heartbeat", content=json.dumps(body).encode())
    assert response.status_code in (200, 400), response.text
    if response.status_code == 400:
        check_error(response)
    if response.status_code == 400 or response.json()["status"] == "error":
        assert state(wired) == before
    else:
        found = [agent for agent in state(wired)["agents"] if agent["id"] == "keep"]
        assert found == [agent for agent in before["agents"] if agent["id"] == "keep"]
        assert wired.head(response.json()["agent_id"]) == 200
