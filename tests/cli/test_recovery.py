"""A registry that is away for a moment: reading waits for it, writing does not."""

import http.server
import json
import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from tests.cli.conftest import Run
from tests.integration.processes import free_port

from meshaccel.cli.client import PATIENCE_S

TIME = "2026-01-02T03:04:05Z"


class Troubled(http.server.BaseHTTPRequestHandler):
    """Fails the first times, in a way that its server chooses."""

    server: "TroubledServer"

    def do_GET(self) -> None:
        """Fail, or list nothing."""
        self.server.asked += 1
        if self.server.failures <= 0:
            self.answer(HTTPStatus.OK, {"agents": [], "count": 0, "timestamp": TIME})
            return
        self.server.failures -= 1
        if self.server.status is not None:
            self.answer(self.server.status, {"error": "later, please", "timestamp": TIME})

    def do_PUT(self) -> None:
        """Fail in the same way."""
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def answer(self, status: HTTPStatus, body: object) -> None:
        """Send a JSON body."""
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(encoded)))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("retry-after", "60")
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Keep silent."""


class TroubledServer(http.server.ThreadingHTTPServer):
    """Breaks off connections, unless there is a status to answer."""

    failures = 0
    asked = 0
    status: HTTPStatus | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[TroubledServer]:
    """A server in trouble."""
    made = TroubledServer(("127.0.0.1", free_port()), Troubled)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.mark.parametrize("status", [None, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY])
def test_reading_waits_for_trouble_to_pass(
    run: Run, server: TroubledServer, status: HTTPStatus | None
) -> None:
    """Whether the connection breaks or the answer says so; and it says nothing of it."""
    server.failures, server.status = 2, status
    result = run("list", "--registry", server.url)
    assert (result.exit_code, result.stderr) == (0, "no agents\n")
    assert server.asked == 3


def test_a_wait_longer_than_our_patience_is_not_begun(run: Run, server: TroubledServer) -> None:
    """The registry asks for a minute: its message is shown at once."""
    server.failures, server.status = 9, HTTPStatus.TOO_MANY_REQUESTS
    result = run("list", "--registry", server.url)
    assert (result.exit_code, result.stderr) == (1, "Error: later, please\n")
    assert server.asked == 1
    assert PATIENCE_S < 60


def test_writing_is_not_repeated(
    run: Run, server: TroubledServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An import says which record failed, and the user decides."""
    server.failures, server.status = 1, HTTPStatus.SERVICE_UNAVAILABLE
    file = tmp_path_factory.mktemp("import") / "a.jsonl"
    file.write_text('{"agent_id": "a"}\n')
    result = run("import", str(file), "--registry", server.url)
    assert result.exit_code == 1
    assert result.stderr == f"{file}:1: later, please\n"
    assert server.asked == 1
