"""What an error does to the connection it is answered on."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.http.client import Client
from tests.http.refusals import raw
from tests.service import Service

from meshaccel.http.asgi import MAX_REST

HEALTH = b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"

WHOLE = {
    "unknown path": b"GET /nope HTTP/1.1\r\n\r\n",
    "unknown agent": b"GET /agents/nobody HTTP/1.1\r\n\r\n",
    "unknown schema": b"GET /schemas/x HTTP/1.1\r\n\r\n",
    "bad query": b"GET /agents?limit=x HTTP/1.1\r\n\r\n",
    "no digest": b"GET /changes/x HTTP/1.1\r\n\r\n",
    "bad body": b"POST /heartbeat HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]",
    "body that nobody reads": b"POST /jobs/claim HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "chunks that nobody reads": (
        b"POST /jobs/claim HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
}
LARGE = b"x" * (100 * MAX_REST)
NOT_WHOLE = {
    "large": b"POST /nope HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(LARGE), LARGE),
    "large chunk": (
        b"POST /nope HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(LARGE), LARGE)
    ),
    "not begun": b"POST /nope HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "too large": b"POST /heartbeat HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{",
}


@pytest.mark.parametrize("name", WHOLE)
def test_error_after_a_whole_request_keeps_the_connection(
    mesh: Client, server: Service, name: str
) -> None:
    """The next request on it is answered."""
    answers = raw(server, WHOLE[name] + HEALTH)
    assert answers.startswith(b"HTTP/1.1 4")
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 200 OK" in answers
    assert mesh.head("p") == 200


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_error_before_the_end_of_a_request_closes_the_connection(
    mesh: Client, server: Service, name: str
) -> None:
    """What is left of the request is not taken for another one."""
    answers = raw(server, NOT_WHOLE[name])
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answers
    assert mesh.head("p") == 200


def test_trouble_with_the_database_keeps_connections(
    mesh: Client, server: Service, tmp_path: Path
) -> None:
    """A fleet does not connect anew with every beat."""
    with closing(sqlite3.connect(tmp_path / "r.db")) as vandal:
        vandal.execute("ALTER TABLE events RENAME TO gone")
    answers = raw(server, b"GET /events HTTP/1.1\r\n\r\n" + HEALTH)
    assert answers.startswith(b"HTTP/1.1 503 ")
    assert b"HTTP/1.1 200 OK" in answers
    assert mesh.head("p") == 200
