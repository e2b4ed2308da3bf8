"""Errors of HTTP, from real sockets of the loopback, through httpx."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from tests.resilience.classification_support import (
    CONNECTION,
    STATEMENT,
    A,
    Expected,
    P,
    T,
    check,
    raised_by,
    raised_by_awaiting,
)

from meshaccel.resilience.classification import DEFAULT_CLASSIFIER, Classifier
from meshaccel.resilience.classify import http

NOW = 1_800_000_000.0
TLS = ssl.create_default_context()


class Handler(BaseHTTPRequestHandler):
    """Answers with the status in the path, and the headers that the query asks for."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = httpx.URL(self.path)
        self.send_response_only(int(url.path[1:]))
        for name, value in url.params.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A server that answers as it is told."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def answering(*answers: bytes, hold: bool = False) -> Iterator[str]:
    """Listen for one connection; give it these bytes and close it, or never answer at all."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                for answer in answers:
                    peer.sendall(answer)
                if hold:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            done.set()
            thread.join()


def ask(method: str, url: str, **options: Any) -> None:
    """Make a request whose answer has to be good."""
    httpx.request(method, url, verify=TLS, **options).raise_for_status()


STATUSES: dict[int, tuple[Expected, Expected]] = {
    301: (P, P),
    304: (P, P),
    400: (P, P),
    401: (P, P),
    403: (P, P),
    404: (P, P),
    408: ((T, STATEMENT, "breaker"), T),
    409: (P, P),
    410: (P, P),
    412: (P, P),
    421: ((T, CONNECTION, None), T),
    425: (T, T),
    429: ((T, STATEMENT, "bulkhead"), T),
    500: ((T, STATEMENT, "breaker"), (A, STATEMENT, "breaker")),
    501: (P, P),
    502: (T, A),
    503: (T, T),
    504: (T, A),
    505: (P, P),
    507: ((P, STATEMENT, "breaker"), P),
    529: (T, T),
}
"""By status: of a GET, and of a POST."""


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(base: str, status: int) -> None:
    read, write = STATUSES[status]
    check(raised_by(lambda: ask("GET", f"{base}/{status}")), read)
    check(raised_by(lambda: ask("PUT", f"{base}/{status}", content=b"x")), read)
    check(raised_by(lambda: ask("POST", f"{base}/{status}", content=b"x")), write)
    with_key = {"Idempotency-Key": "1"}
    check(raised_by(lambda: ask("POST", f"{base}/{status}", headers=with_key)), read)


def date(unix: float) -> str:
    """A date of HTTP."""
    return format_datetime(datetime.fromtimestamp(unix, UTC), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": date(NOW + 90)}, 90.0),
        ({"Retry-After": date(NOW - 90)}, 0.0),
        # A server whose clock is an hour off says when by that clock.
        ({"Retry-After": date(NOW + 3690), "Date": date(NOW + 3600)}, 90.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Fri, 99 Foo 2026 99:99:99 GMT"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({}, None),
    ],
)
def test_retry_after(
    base: str, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    url = httpx.URL(f"{base}/{status}", params=headers)
    error = raised_by(lambda: ask("GET", str(url)))
    means = Classifier(*http.RULES, now=lambda: NOW).classify(error)
    assert means.verdict is T
    assert means.retry_after_s == seconds


def test_retry_after_of_what_is_not_made_again(base: str) -> None:
    error = raised_by(lambda: ask("GET", f"{base}/404?Retry-After=9"))
    assert DEFAULT_CLASSIFIER.classify(error).retry_after_s is None


def test_too_many_redirects(base: str) -> None:
    around = f"{base}/302?Location=/302%3FLocation%3D/302"
    with httpx.Client(follow_redirects=True, max_redirects=1) as client:
        error = raised_by(lambda: client.get(around))
    assert isinstance(error, httpx.TooManyRedirects)
    check(error, P)


def test_nobody_listens() -> None:
    for method in ("GET", "POST"):
        error = raised_by(lambda method=method: ask(method, "http://127.0.0.1:1/"))  # type: ignore[misc]
        assert isinstance(error, httpx.ConnectError)
        check(error, (T, CONNECTION, "breaker"))


def test_a_name_that_does_not_exist() -> None:
    """Which is for ever, as far as anybody knows; a resolver that is away is not."""
    gai = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = httpx.ConnectError("x")
    error.__cause__ = gai
    check(error, P)
    error.__cause__ = socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
    check(error, (T, CONNECTION, "breaker"))


def test_no_tls_at_the_other_end(base: str) -> None:
    error = raised_by(lambda: ask("GET", base.replace("http", "https")))
    assert isinstance(error, httpx.ConnectError)
    check(error, P)


@pytest.mark.parametrize(("method", "verdict"), [("GET", T), ("DELETE", T), ("POST", A)])
def test_time_outs(method: str, verdict: Expected) -> None:
    with answering(hold=True) as url:
        error = raised_by(lambda: ask(method, url, timeout=0.05))
    assert isinstance(error, httpx.ReadTimeout)
    check(error, verdict)


@pytest.mark.parametrize(("method", "verdict"), [("GET", T), ("POST", A)])
@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00 not HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
    ids=["none", "garbage", "short"],
)
def test_broken_answers(method: str, verdict: Expected, answer: bytes) -> None:
    with answering(answer) as url:
        error = raised_by(lambda: ask(method, url))
    assert isinstance(error, httpx.RemoteProtocolError)
    check(error, verdict)


def test_the_own_pool_is_full() -> None:
    async def run() -> None:
        limits = httpx.Limits(max_connections=1)
        timeout = httpx.Timeout(5, pool=0.05)
        with answering(hold=True) as url:
            async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
                first = asyncio.create_task(client.get(url))
                for _ in range(10):  # until it has the connection
                    await asyncio.sleep(0)
                error = await raised_by_awaiting(client.get(url))
                assert isinstance(error, httpx.PoolTimeout)
                check(error, (T, STATEMENT, "bulkhead"))
                first.cancel()
                await asyncio.wait([first])

    asyncio.run(run())


@pytest.mark.parametrize("url", ["ftp://example.org", "/relative", "http://"])
def test_no_url(url: str) -> None:
    error = raised_by(lambda: ask("GET", url))
    assert isinstance(error, httpx.UnsupportedProtocol)
    check(error, P)


def test_more_that_stays_as_it_is(base: str) -> None:
    check(raised_by(lambda: ask("GET", "http://example.org:port")), P)
    check(raised_by(lambda: ask("GET", base, headers={"a\n": "b"})), P)
    with httpx.stream("GET", f"{base}/200") as response:
        check(raised_by(lambda: response.content), P)
    zipped = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    with answering(zipped) as url:
        error = raised_by(lambda: ask("GET", url))
    assert isinstance(error, httpx.DecodingError)
    check(error, P)


def test_errors_without_their_request() -> None:
    check(httpx.ReadTimeout("made by hand"), A)
    check(httpx.ConnectTimeout("made by hand"), (T, CONNECTION, "breaker"))
    check(httpx.WriteTimeout("made by hand"), A)
    check(httpx.WriteError("made by hand"), A)
    check(httpx.ReadError("made by hand"), A)
    check(httpx.ProxyError("made by hand"), (T, CONNECTION))
