"""Paths, methods and queries: odd ones are answered, bad ones are refused."""

import pytest
from tests.http.client import Client
from tests.http.refusals import check_raw_error, raw, state
from tests.service import Service

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
    """An unknown path or method is a 404 in the error shape and changes nothing."""
    before = state(mesh)
    request = f"{start} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    check_raw_error(raw(server, request.encode()), 404)
    assert state(mesh) == before


@pytest.mark.parametrize("path", ["%FF", "%00", "%ED%A0%80", "%", "%zz", "%F0%9F%98%80", "a%2Fb"])
def test_odd_ids_in_paths(mesh: Client, server: Service, path: str) -> None:
    """HEAD and DELETE take an odd id for that of an unknown agent and change nothing."""
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
    """A query with a value that cannot be understood gets a 400 in the error shape."""
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
    """A query that is odd but valid is answered with what it selects."""
    response = mesh.http.get(path)
    assert response.status_code == 200
    assert response.json()["count"] == GOOD_QUERIES[path]


def test_pages_join_to_the_whole(mesh: Client) -> None:
    """The pages of a listing, whatever their size, join to the whole of it."""
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
