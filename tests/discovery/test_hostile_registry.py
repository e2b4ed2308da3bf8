"""What a registry, or what has taken its place, cannot do to those who read it."""

import asyncio
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.http.client import Client, registry_on, tool
from tests.service import Service

from meshaccel import IncrementalServiceDiscovery
from meshaccel.discovery import http_source, http_words
from meshaccel.discovery.http_source import HttpSource
from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone
from meshaccel.errors import DiscoveryError, InvalidReplyError, MeshAccelError

MAX_REPLY = 1_000_000


@contextmanager
def answering(body: bytes, **headers: str) -> Iterator[str]:
    """Answer everything so, and go on if the client reads on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            with suppress(OSError):
                # It may have read enough.
                self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def reading(url: str, *, stream: bool) -> None:
    """Ask once."""

    async def read() -> None:
        source = HttpSource(url)
        try:
            if stream:
                async for _ in source.follow(ChangesRequest()):
                    pass
            else:
                await source.changes(ChangesRequest())
        finally:
            await source.aclose()

    asyncio.run(read())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greatest answer is quickly sent."""
    for module in (http_source, http_words):
        monkeypatch.setattr(module, "MAX_REPLY", MAX_REPLY)


LARGE = b'{"epoch":"e","since":0,"to":0,"x":"' + b"x" * 2 * MAX_REPLY + b'"}'
TOO_LARGE: dict[str, tuple[bytes, dict[str, str]]] = {
    "plain": (LARGE, {}),
    "packed": (gzip.compress(LARGE), {"content_encoding": "gzip"}),
    "bomb": (gzip.compress(bytes(200 * MAX_REPLY), 1), {"content_encoding": "gzip"}),
    "endless line": (b"data: " + b"x" * 2 * MAX_REPLY, {"content_type": "text/event-stream"}),
    "endless event": (
        b"data: xxxxxxxxxxxxxx\n" * (MAX_REPLY // 10),
        {"content_type": "text/event-stream"},
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", TOO_LARGE)
def test_answer_without_end(name: str, *, stream: bool) -> None:
    """It is not read further than the greatest that a registry gives."""
    body, headers = TOO_LARGE[name]
    with answering(body, **headers) as url, pytest.raises(InvalidReplyError, match="larger than"):
        reading(url, stream=stream)


def test_answer_packed_in_another_way() -> None:
    with (
        answering(b"\x28\xb5\x2f\xfd", content_encoding="zstd") as url,
        pytest.raises(InvalidReplyError, match="not asked for"),
    ):
        reading(url, stream=False)


UPSERT = {"op": "upsert", "id": "a", "revision": 1, "status": "healthy"}


def told(**changes: object) -> bytes:
    return json.dumps({"epoch": "e", "since": 0, "to": 1, "items": [], **changes}).encode()


NO_ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "another page": b"<!DOCTYPE html><title>Log in</title>",
    "not UTF-8": told(hash="x").replace(b"x", b"\xff"),
    "deep": told(x=0).replace(b'"x": 0', b'"x":' + b"[" * 100_000 + b"]" * 100_000),
    "deep agent": told(items=[UPSERT | {"agent": "A"}]).replace(
        b'"A"', b'{"id":"a","x":' + b"[" * 900 + b"]" * 900 + b"}"
    ),
    "huge number": told(items=[UPSERT | {"agent": "A"}]).replace(b'"A"', b"1" * 5000),
    "no agent": told(items=[UPSERT | {"agent": {"id": "a"}}]),
    "another agent": told(items=[UPSERT | {"agent": {"id": "b", "endpoint": "", "tools": []}}]),
    "tools of another kind": told(
        items=[UPSERT | {"agent": {"id": "a", "endpoint": "", "tools": [1]}}]
    ),
    "no revision": told(items=[UPSERT | {"agent": {}, "revision": None}]),
    "backwards": told(to=-5),
    "wrong status": told(items=[UPSERT | {"agent": {}, "status": "\x1b[2J"}]),
    "more of nothing": told(to=0, more=True),
    "another hash": told(hash="1" * 32),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_answer_that_no_registry_gives(name: str) -> None:
    """It ends with an error of ours, and nothing of it is held."""

    async def refresh(url: str) -> None:
        async with IncrementalServiceDiscovery(url) as discovery:
            with pytest.raises(DiscoveryError):
                await discovery.refresh()
            assert not discovery.agents

    with answering(NO_ANSWERS[name]) as url:
        asyncio.run(refresh(url))


@pytest.mark.parametrize("spread", ["1e300", "31", "-1", "-1e300"])
def test_a_long_wait_is_not_obeyed(spread: str) -> None:
    """However long it is said to be."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    class Source(HttpSource):
        async def changes(self, request: ChangesRequest) -> Changes | Gone:
            if not waits and request.epoch is not None:
                return Gone(reason="compacted", epoch="e", revision=9, spread_s=float(spread))
            return Changes(epoch="e", since=request.since, to=1)

    async def twice() -> None:
        source = Source("http://127.0.0.1:1")
        async with IncrementalServiceDiscovery(source, sleep=sleep, draw=lambda: 1.0) as discovery:
            await discovery.refresh()
            await discovery.refresh()

    asyncio.run(twice())
    assert waits == [max(0.0, min(30.0, float(spread)))]


ODD = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r\n\x00\ufeff\x1b[2J"


def test_what_agents_write_does_not_break_streams(server: Service, tmp_path: Path) -> None:
    """What others take for the end of a line is none here: an agent may write anything."""

    async def first_change(url: str, happen: Callable[[], Awaitable[None]]) -> str:
        async with IncrementalServiceDiscovery(url) as discovery:
            await discovery.refresh()
            async with asyncio.timeout(20):
                await happen()
                async for change in discovery.watch():
                    return str(change.agent.record["tools"][0]["description"])
        raise MeshAccelError("no change")

    with registry_on(server, tmp_path / "r.db") as client:

        async def happen() -> None:
            await asyncio.to_thread(_post_odd, client)

        assert asyncio.run(first_change(server.url, happen)) == f"a{ODD}b"


def _post_odd(client: Client) -> None:
    client.post("odd", tool("cap", description=f"a{ODD}b"))
