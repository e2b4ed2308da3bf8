"""Tokens: who may write, who may read, and how they are replaced."""

import asyncio
import logging
import os
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import httpx
import pytest
from tests.http.client import QUIET
from tests.http.refusals import check_error
from tests.service import Service

from meshaccel import IncrementalServiceDiscovery
from meshaccel.errors import DiscoveryError, InvalidRequestError, TokenError
from meshaccel.http.auth import Gate
from meshaccel.http.server import ServerSettings, gate_of
from meshaccel.http.tokens import LOOK_EVERY_S, TokenFile

WRITE, OTHER, READ = "write-token-0123456789", "other+token/0123456789==", "read-token-0123456789"
WRITES = ["POST /heartbeat", "HEAD /heartbeat/a", "POST /heartbeat/a/changes", "DELETE /agents/a"]
WRITES += ["PUT /agents/a", "POST /nope", "PATCH /agents/a"]
READS = ["GET /agents", "GET /agents/a", "GET /changes", "GET /changes/digest", "GET /events"]
READS += ["GET /schemas", "GET /", "GET /nope"]


def token_file(path: Path, *tokens: str) -> Path:
    path.write_text("# of the mesh\n\n" + "\n".join(tokens) + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def writes(tmp_path: Path) -> Path:
    """The file of tokens that may write."""
    return token_file(tmp_path / "write", WRITE, OTHER)


@pytest.fixture
def guarded(server: Service, tmp_path: Path, writes: Path) -> Iterator[httpx.Client]:
    """A client without a token, of a registry that wants one for writing."""
    gate = Gate(write_tokens=TokenFile(writes))
    with (
        server.open(tmp_path / "r.db", settings=QUIET, gate=gate),
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


def ask(client: httpx.Client, what: str, **headers: str) -> httpx.Response:
    method, path = what.split()
    body = b'{"agent_id":"a"}' if method in ("POST", "PUT") else None
    return client.request(method, path, content=body, headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("what", WRITES)
def test_who_writes_needs_a_token(guarded: httpx.Client, what: str) -> None:
    """All that changes something, a sign of life too; whatever is sent in its place changes it."""
    headers: list[dict[str, str]] = [
        {},
        *(bearer(token) for token in (WRITE[:-1], WRITE + "0", WRITE.upper(), READ, f"{WRITE} x")),
        *({"authorization": value} for value in ("", "Bearer", WRITE, f"Token {WRITE}", "Basic !")),
    ]
    for sent in headers:
        response = ask(guarded, what, **sent)
        assert response.status_code == 401
        challenges = response.headers.get_list("www-authenticate")
        assert challenges == ['Bearer realm="meshaccel"', 'Basic realm="meshaccel"']
        assert "connection" not in response.headers
        if not what.startswith("HEAD"):
            check_error(response, 401)
            assert WRITE not in response.text
    assert guarded.get("/agents").json()["agents"] == []
    for token in (WRITE, OTHER):
        assert ask(guarded, what, **bearer(token)).status_code != 401


@pytest.mark.parametrize("what", [*READS, "GET /health", "HEAD /health"])
def test_who_reads_needs_none(guarded: httpx.Client, what: str) -> None:
    assert ask(guarded, what).status_code in (200, 404)


def test_a_password_in_the_url_is_a_token(guarded: httpx.Client) -> None:
    """As agents send it, which know of no other way."""
    url = guarded.base_url.copy_with(username="agent", password=OTHER)
    with httpx.Client(base_url=url, trust_env=False) as agent:
        assert agent.post("/heartbeat", json={"agent_id": "a"}).json()["status"] == "success"
        assert agent.head("/heartbeat/a").status_code == 200
        assert agent.delete("/agents/a").status_code == 204
    wrong = guarded.base_url.copy_with(username=WRITE, password=READ)
    assert httpx.delete(wrong.join("/agents/a"), trust_env=False).status_code == 401


def test_reading_may_need_one_too(server: Service, tmp_path: Path, writes: Path) -> None:
    """Its own, or one to write; for all but the state of health."""
    reads = TokenFile(token_file(tmp_path / "read", READ))
    gate = Gate(write_tokens=TokenFile(writes), read_tokens=reads)
    with (
        server.open(tmp_path / "r.db", settings=QUIET, gate=gate),
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for what in READS:
            assert ask(client, what).status_code == 401
            assert ask(client, what, **bearer(READ)).status_code in (200, 404)
            assert ask(client, what, **bearer(WRITE)).status_code in (200, 404)
        assert ask(client, "GET /health").status_code == 200
        assert ask(client, "GET /health/x").status_code == 401
        assert ask(client, "DELETE /agents/a", **bearer(READ)).status_code == 401


def test_reading_without_writing_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs one to be written"):
        Gate(read_tokens=TokenFile(token_file(tmp_path / "read", READ)))


def test_who_is_refused_is_not_read(guarded: httpx.Client, server: Service) -> None:
    """A large body without a token is not waited for."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"POST /heartbeat HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n{")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer
    assert guarded.get("/health").status_code == 200


def test_discovery_sends_its_token(server: Service, tmp_path: Path, writes: Path) -> None:
    """And says what is wrong without it."""
    reads = TokenFile(token_file(tmp_path / "read", READ))
    gate = Gate(write_tokens=TokenFile(writes), read_tokens=reads)

    async def refresh(token: str | None) -> None:
        async with IncrementalServiceDiscovery(server.url, token=token) as discovery:
            assert READ not in repr(vars(discovery))
            assert await discovery.refresh() == ()

    with server.open(tmp_path / "r.db", settings=QUIET, gate=gate):
        asyncio.run(refresh(READ))
        with pytest.raises(DiscoveryError, match="no leave to read"):
            asyncio.run(refresh(None))


def test_bad_token_is_not_repeated(server: Service) -> None:
    with pytest.raises(TokenError) as raised:
        IncrementalServiceDiscovery(server.url, token=f"{READ}\r\nx: y")
    assert READ not in str(raised.value)


def test_password_in_the_url_is_in_no_log(
    server: Service, tmp_path: Path, writes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent all the same; httpx notes each request's URL."""
    gate = Gate(write_tokens=TokenFile(writes), read_tokens=TokenFile(writes))
    with_password = server.url.replace("//", f"//agent:{quote(OTHER, safe='')}@")

    async def refresh() -> None:
        async with IncrementalServiceDiscovery(with_password) as discovery:
            assert await discovery.refresh() == ()

    with server.open(tmp_path / "r.db", settings=QUIET, gate=gate), caplog.at_level(logging.DEBUG):
        asyncio.run(refresh())
    assert "/changes" in caplog.text
    assert OTHER[:5] not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://agent:{READ}@host",
        f"https://agent:{READ}@[::1",
        f"https://agent:{READ}/x@host",
        f"agent:{READ}@host",
        f"https://agent:{READ}@host:port",
    ],
)
def test_malformed_url_is_not_repeated_with_its_password(url: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        IncrementalServiceDiscovery(url)
    assert READ not in "".join(traceback.format_exception(raised.value, limit=0))


# -- files of tokens ---------------------------------------------------------------------


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def accepts(tokens: TokenFile, *those: str) -> list[bool]:
    return [tokens.accepts(f"Bearer {token}".encode()) for token in those]


def test_tokens_are_replaced_without_a_restart(writes: Path, tmp_path: Path) -> None:
    clock = Clock()
    tokens = TokenFile(writes, clock=clock)
    token_file(tmp_path / "new", READ).replace(writes)
    assert accepts(tokens, WRITE, READ) == [True, False]
    clock.now += LOOK_EVERY_S
    assert accepts(tokens, WRITE, OTHER, READ) == [False, False, True]


def test_a_file_that_went_bad_changes_nothing(
    writes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and without the tokens; a good one is taken again."""
    clock = Clock()
    tokens = TokenFile(writes, clock=clock)
    for spoil in (lambda: writes.write_text("x"), writes.unlink):
        spoil()
        for _ in range(3):
            clock.now += LOOK_EVERY_S
            assert accepts(tokens, WRITE) == [True]
    assert [record.message for record in caplog.records] == ["the tokens stay as they were"] * 2
    token_file(writes, READ)
    clock.now += LOOK_EVERY_S
    assert accepts(tokens, WRITE, READ) == [False, True]
    assert WRITE not in caplog.text + repr(vars(tokens))


def test_a_file_that_becomes_readable_later_is_read(
    writes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that root puts in its place before giving it to the service."""
    clock = Clock()
    tokens = TokenFile(writes, clock=clock)
    token_file(writes, READ)

    def forbidden(_: Path) -> NoReturn:
        raise TokenError("not yet")

    with monkeypatch.context() as patched:
        patched.setattr("meshaccel.http.tokens.read_tokens", forbidden)
        clock.now += LOOK_EVERY_S
        assert accepts(tokens, WRITE, READ) == [True, False]
    before = writes.stat().st_ctime_ns
    while writes.stat().st_ctime_ns == before:
        os.chown(writes, os.getuid(), os.getgid())
    clock.now += LOOK_EVERY_S
    assert accepts(tokens, WRITE, READ) == [False, True]


def test_a_file_that_all_can_read_is_warned_of(
    writes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writes.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        TokenFile(writes)
    assert "every user can read the tokens" in caplog.text


BAD_FILES: dict[str, bytes] = {
    "nothing": b"",
    "comments": b"# none\n\n",
    "short": b"hunter2",
    "long": b"x" * 513,
    "two words": b"correct-horse battery-staple",
    "not ASCII": "schlüssel-0123456789".encode(),
    "NUL": b"token\0-0123456789abc",
    "header": b"token-0123456789abc\x0b\x0bx: y",
    "padding within": b"to=ken-0123456789abc",
    "101 tokens": b"\n".join(b"token-%020d" % n for n in range(101)),
    "too large": b"#" * 70_000,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(tmp_path: Path, name: str) -> None:
    """It is refused, and nothing of it is repeated."""
    path = tmp_path / "tokens"
    path.write_bytes(BAD_FILES[name])
    with pytest.raises(TokenError) as raised:
        TokenFile(path)
    assert str(raised.value).startswith(str(path))
    assert not any(word in str(raised.value) for word in ("hunter2", "horse", "abc", "0000"))


@pytest.mark.parametrize("path", ["missing", "."])
def test_file_that_cannot_be_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(TokenError, match="cannot be read"):
        TokenFile(tmp_path / path)


# -- what pages may do -------------------------------------------------------------------


CROSS: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": ""},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://127.0.0.1"},
]


@pytest.fixture
def loopback(server: Service, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a registry that is for this machine, and known as ``mesh.example``."""
    with (
        server.open(tmp_path / "r.db", settings=QUIET, gate=Gate(hosts=["mesh.example"])),
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_page_of_another_origin_changes_nothing(
    loopback: httpx.Client, headers: dict[str, str]
) -> None:
    """Though a browser sends text to anywhere without asking. Reading is left to CORS."""
    for what in WRITES:
        assert ask(loopback, what, **headers, **{"content-type": "text/plain"}).status_code == 403
    assert ask(loopback, "GET /agents", **headers).json()["agents"] == []


def test_page_of_its_own_and_programs_may(loopback: httpx.Client, server: Service) -> None:
    own: list[dict[str, str]] = [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://mesh.example"},
        {"sec-fetch-site": "none"},
        {"origin": server.url},
    ]
    for headers in own:
        assert ask(loopback, "POST /heartbeat", **headers).status_code == 200


STRANGE = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"]
STRANGE += ["internal.evil", "mesh.example.evil", "x.mesh.example", "1.2.3", "[::1].evil.example"]
KNOWN = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", ""]
KNOWN += ["registry", "a.localhost:1", "host.docker.internal:8000", "10.0.0.1", "Mesh.Example:443"]
KNOWN += ["mesh.example.", "0.0.0.0:8000"]


@pytest.mark.parametrize("host", STRANGE)
def test_strange_name_is_refused(loopback: httpx.Client, host: str) -> None:
    """Also for reading: a page whose name was given our address reads what it likes."""
    for what in (*WRITES, *READS, "GET /health"):
        response = ask(loopback, what, host=host)
        assert response.status_code == 421
        if not what.startswith("HEAD"):
            check_error(response, 421)


@pytest.mark.parametrize("host", KNOWN)
def test_known_name_is_answered(loopback: httpx.Client, host: str) -> None:
    assert ask(loopback, "GET /agents", host=host).status_code == 200


def test_no_name_is_looked_at_unless_asked(guarded: httpx.Client) -> None:
    assert ask(guarded, "GET /agents", host="evil.example").status_code == 200


def test_settings_say_whether_names_are_looked_at() -> None:
    """Where only this machine can connect, or where names were given."""
    cases: list[tuple[dict[str, Any], bool]] = [
        ({"host": "127.0.0.1"}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),  # noqa: S104
        ({"host": "::"}, False),
        ({"host": "0.0.0.0", "allowed_hosts": ("mesh.example",)}, True),  # noqa: S104
    ]
    for given, expected in cases:
        assert gate_of(ServerSettings(**given)).checks_hosts is expected
