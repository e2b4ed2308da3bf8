"""Bodies that are no declaration, odd ones that are, and the limits of text and size."""

from pathlib import Path

import pytest
from tests.http.client import Client, Json, tool, wired_to
from tests.http.refusals import check_error, refuse, rejected
from tests.service import Service

from meshaccel.registry import telling

MAX_BODY = 200_000
DEEP = 50_000


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
    """A body that is no declaration is refused, stores nothing and harms no other agent."""
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
    """A body that is odd but valid registers its agent and harms no other."""
    response = mesh.http.post("/heartbeat", content=ODD_BUT_VALID[name])
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["agent_id"]) == ("success", "new")
    assert mesh.get("/agents/new")["id"] == "new"
    assert mesh.get("/agents")["count"] == 3
    assert (mesh.head("new"), mesh.head("p"), mesh.head("c")) == (200, 200, 200)


def test_capability_with_a_nul_is_found(mesh: Client) -> None:
    """A capability with a NUL in its name is refused, or found by that name."""
    # Names that are stored are names that can be asked for.
    odd = {"agent_id": "new", "tools": [tool("a\0b")]}
    response = mesh.http.post("/heartbeat", json=odd)
    if response.status_code == 200:
        assert wired_to(mesh.post("c", tool("use", "a\0b"))) == ["new"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "\xff", "a/b; c=ü"]
)
def test_content_type_does_not_matter(mesh: Client, content_type: str) -> None:
    """A body is read as JSON whatever its content type says."""
    headers = {b"content-type": content_type.encode("latin-1")}
    response = mesh.http.post("/heartbeat", content=b'{"agent_id":"new"}', headers=headers)
    assert response.status_code == 200
    refuse(mesh, b"agent_id=new")


# -- limits of text ----------------------------------------------------------------------


@pytest.mark.parametrize(("field", "limit"), [("agent_id", 253), ("name", 63), ("namespace", 63)])
def test_names_at_and_past_their_limits(mesh: Client, field: str, limit: int) -> None:
    """A name of the greatest length is taken, and one longer by a character is rejected."""
    body: Json = {"agent_id": "new", "name": "new"}
    rejected(mesh, body | {field: "a" * (limit + 1)}, field)
    taken = mesh.http.post("/heartbeat", json=body | {field: "a" * limit})
    assert taken.json()["status"] == "success"


@pytest.mark.parametrize("name", ["名前", "😀", "A", "a_b", "-a", "a-", "a b", "a\n", "a\0", "é"])
@pytest.mark.parametrize("field", ["agent_id", "name", "namespace"])
def test_names_break_the_rules(mesh: Client, field: str, name: str) -> None:
    """A name with a character or an end that the rules forbid is rejected."""
    rejected(mesh, {"agent_id": "new", field: name}, field)


@pytest.mark.parametrize("field", ["agent_type", "runtime"])
def test_unknown_type_is_rejected(mesh: Client, field: str) -> None:
    """A type or a runtime that does not exist is rejected."""
    rejected(mesh, {"agent_id": "new", field: "perl"}, field)


def test_required_cycle_is_rejected(mesh: Client) -> None:
    """A registration that closes a cycle of required dependencies is rejected."""
    mesh.post("x", tool("x", {"capability": "y", "required": True}))
    body = {"agent_id": "y", "tools": [tool("y", {"capability": "x", "required": True})]}
    rejected(mesh, body, "x")


@pytest.mark.parametrize("character", ["a", "é", "名", "😀"])
def test_descriptions_are_cut_by_characters(mesh: Client, character: str) -> None:
    """A description is cut to 256 characters, not bytes, with a warning at every POST."""
    answer = mesh.post("new", description=character * 256)
    assert "warnings" not in answer
    assert mesh.get("/agents/new")["description"] == character * 256
    answer = mesh.post("new", description=character * 257)
    assert len(answer["warnings"]) == 1
    assert mesh.get("/agents/new")["description"] == character * 256
    assert mesh.post("new", description=character * 257)["warnings"] == answer["warnings"]


# -- sizes -------------------------------------------------------------------------------


def test_ten_thousand_tools(mesh: Client) -> None:
    """An agent with ten thousand tools is wired and listed, and can drop them again."""
    tools = [tool(f"cap-{i}", "cap", tags=["a"], description="d" * 50) for i in range(10_000)]
    answer = mesh.post("new", *tools)
    assert len(answer["dependencies_resolved"]) == 10_000
    assert len(mesh.get("/agents/new")["capabilities"]) == 10_000
    assert mesh.head("new") == 200
    assert mesh.post("new")["dependencies_resolved"] == {}


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit(server: Service, tmp_path: Path, *, chunked: bool) -> None:
    """A body of the greatest size is taken, and a larger one gets a 413, chunked or not."""
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


def test_wiring_that_is_too_large_is_an_error_every_time(
    mesh: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that depends on too much is told so, also when it sends the same once more."""
    monkeypatch.setattr(telling, "MAX_WIRING", 10_000)
    greedy = {"agent_id": "new", "tools": [tool("x", *["cap"] * 1000)]}
    for _ in range(2):
        response = mesh.http.post("/heartbeat", json=greedy)
        assert response.status_code == 200
        assert response.json()["status"] == "error"
        assert "the wiring is larger than" in response.json()["message"]
    assert mesh.head("new") == 202
    mesh.post("new", tool("x", "cap"))
    assert mesh.head("new") == 200
