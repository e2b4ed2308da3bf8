"""A reverse proxy in front of a registry that remembers which agent asked for what."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from .processes import HOST

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Exchange(NamedTuple):
    """One request of an agent and the status it was answered with."""

    method: str
    agent_id: str
    status: int


class RecordingProxy:
    """Forwards every request to the registry on `target_port` and records it."""

    def __init__(self, target_port: int) -> None:
        """Listen on a free port; entering the context starts answering."""
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self, target_port))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start answering."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def record(self, exchange: Exchange) -> None:
        """Remember one exchange."""
        with self._lock:
            self._exchanges.append(exchange)

    def exchanges(self, agent_id: str, since: int = 0) -> list[Exchange]:
        """What an agent asked after the mark `since`, oldest first."""
        with self._lock:
            return [one for one in self._exchanges[since:] if one.agent_id == agent_id]

    def mark(self) -> int:
        """The present position in the record."""
        with self._lock:
            return len(self._exchanges)


def _agent_id(path: str, body: bytes) -> str:
    """The agent a request is about: named in the body or at the end of the path."""
    with suppress(ValueError, AttributeError):
        return str(json.loads(body).get("agent_id", ""))
    return path.rpartition("/")[2]


def _handler(proxy: RecordingProxy, target_port: int) -> type[BaseHTTPRequestHandler]:
    """A request handler bound to one proxy and one registry."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(HOST, target_port, timeout=30)
            try:
                connection.request(self.command, self.path, body or None, dict(self.headers))
                answer = connection.getresponse()
                payload = answer.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # no answer at all, like a registry that is down
                return
            finally:
                connection.close()
            proxy.record(Exchange(self.command, _agent_id(self.path, body), answer.status))
            self._answer(answer, payload)

        def _answer(self, answer: http.client.HTTPResponse, payload: bytes) -> None:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_HEAD = do_POST = do_DELETE = _forward  # noqa: N815

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Stay silent: the record is what counts."""

    return Handler
