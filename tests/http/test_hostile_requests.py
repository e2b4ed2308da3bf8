"""Requests made to confuse: no answer to them is an error of ours, or says more than one thing."""

import gzip
import json
import zlib
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http.client import Client, registry_on, tool
from tests.http.refusals import raw, refuse, state
from tests.service import Service

BODY = b'{"agent_id":"new"}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("gzip", gzip.compress(bytes(50_000_000), 1)),
    ],
    ids=("gzip", "deflate", "bomb"),  # the first has the time in it
)
def test_packed_body_is_not_unpacked(mesh: Client, encoding: str, body: bytes) -> None:
    """It is bytes that are no JSON, however much might be in it."""
    refuse(mesh, body, **{"content-encoding": encoding})


SPLIT = "%0d%0aset-cookie:%20a=b%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0a"
SPLITTING = [
    f"GET /{SPLIT} HTTP/1.1\r\n",
    f"GET /agents/{SPLIT} HTTP/1.1\r\n",
    f"GET /agents?cursor={SPLIT} HTTP/1.1\r\n",
    f"GET /changes?epoch={SPLIT}&since=1 HTTP/1.1\r\n",
    f"GET /changes?selector={SPLIT} HTTP/1.1\r\n",
    f"GET /changes/{SPLIT} HTTP/1.1\r\n",
    f"GET /schemas/{SPLIT} HTTP/1.1\r\n",
    f"HEAD /heartbeat/{SPLIT} HTTP/1.1\r\n",
    f"DELETE /agents/{SPLIT} HTTP/1.1\r\n",
    f"POST /heartbeat/{SPLIT}/changes?epoch={SPLIT} HTTP/1.1\r\nContent-Length: 0\r\n",
    "GET /changes HTTP/1.1\r\naccept: text/event-stream\r\nLast-Event-ID: \x0bset-cookie: a:1\r\n",
]


@pytest.mark.parametrize("request_", SPLITTING, ids=range(len(SPLITTING)))
def test_answer_is_not_split(mesh: Client, server: Service, request_: str) -> None:
    """What a request says is in no header of the answer."""
    answer = raw(server, f"{request_}Connection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"set-cookie" not in head.lower()
    assert answer.count(b"HTTP/1.1 ") - body.count(b"HTTP/1.1 200 OK\\r") == 1
    assert mesh.head("p") == 200


@pytest.fixture(scope="module")
def wired(server: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same registry for all random requests."""
    with registry_on(server, tmp_path_factory.mktemp("random") / "r.db") as client:
        client.post("keep", tool("cap"))
        yield client


words = st.text(max_size=8) | st.sampled_from(
    ["keep", "agents", "heartbeat", "changes", "digest", "events", "schemas", "health", "..", "1"]
)
names = st.sampled_from(
    ["limit", "cursor", "since", "epoch", "known", "bucket", "selector", "type", "fuzzy", "status"]
)
texts = st.text(max_size=8) | st.integers().map(str) | st.sampled_from(["namespace=a", "a,b", "%"])
fields = st.sampled_from(["accept", "if-none-match", "last-event-id", "authorization", "origin"])
field_values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    path=st.lists(words, max_size=4),
    query=st.lists(st.tuples(names, texts), max_size=4),
    headers=st.dictionaries(fields, field_values, max_size=3),
    body=st.none() | st.binary(max_size=20),
)
def test_random_requests(
    wired: Client,
    method: str,
    path: list[str],
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes | None,
) -> None:
    """Never a 5xx, always an answer, and nobody else is touched."""
    target = "/" + "/".join(quote(part, safe="") for part in path)
    if "keep" in path and method in ("DELETE", "PUT"):
        return
    # Whole, for a path of "//" is none that httpx puts after its own.
    response = wired.http.request(
        method,
        f"{str(wired.http.base_url).rstrip('/')}{target}",
        params=httpx.QueryParams(tuple(query)),
        headers=[
            (name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()
        ],
        content=body,
    )
    assert response.status_code < 500, response.text
    if response.content:
        json.loads(response.content)
    assert [agent["id"] for agent in state(wired)["agents"]] == ["keep"]
