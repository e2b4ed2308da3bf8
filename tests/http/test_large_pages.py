"""Listings that are composed in turns and sent in parts, compressed, or not at all."""

import sys
from pathlib import Path

import httpx
import pytest
from tests.http.client import Client, tool

from meshaccel.http import encodings, listing
from meshaccel.registry import pages


@pytest.mark.parametrize("per_turn", [1, 7, 20, 21])
@pytest.mark.parametrize("max_written", [0, 1 << 20])
def test_page_of_many_turns_is_complete(
    client: Client, monkeypatch: pytest.MonkeyPatch, per_turn: int, max_written: int
) -> None:
    """Every agent is there once, in order."""
    monkeypatch.setattr(listing, "ENTRIES_PER_TURN", per_turn)
    monkeypatch.setattr(pages, "ENTRIES_PER_TURN", per_turn)
    monkeypatch.setattr(pages, "MAX_WRITTEN", max_written)
    assert client.get("/agents")["agents"] == []
    for number in range(20):
        client.post(f"a{number:02}", tool("cap"))
    page = client.get("/agents")
    assert [agent["id"] for agent in page["agents"]] == [f"a{number:02}" for number in range(20)]
    assert page["count"] == 20
    assert all(agent["last_seen"] for agent in page["agents"])
    rest = client.get("/agents", limit=3, cursor=client.get("/agents", limit=9)["next_cursor"])
    assert rest["agents"] == page["agents"][9:12]


@pytest.mark.parametrize("per_turn", [3, 1000])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_page_is_compressed_for_who_asks(
    client: Client, monkeypatch: pytest.MonkeyPatch, coding: str, per_turn: int
) -> None:
    if coding not in encodings.codecs():
        pytest.skip("no zstd")
    monkeypatch.setattr(listing, "ENTRIES_PER_TURN", per_turn)
    monkeypatch.setattr(listing, "MIN_COMPRESSED", 300)
    for number in range(8):
        client.post(f"a{number}", tool("cap"))

    def get(accept: str, **headers: str) -> httpx.Response:
        return client.http.get("/agents", headers={"accept-encoding": accept} | headers)

    plain = get("identity")
    assert "content-encoding" not in plain.headers
    packed = get(f"br, {coding};q=0.5")
    assert packed.headers["content-encoding"] == coding
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.json()["agents"] == plain.json()["agents"]
    assert int(packed.headers.get("content-length", 0)) < len(plain.content)


def test_page_that_a_client_has_is_not_sent_again(client: Client) -> None:
    client.post("a", tool("cap"))

    def tags(known: str = "") -> tuple[int, str]:
        answer = client.http.get("/agents", headers={"if-none-match": known})
        assert (answer.status_code == 200) == bool(answer.content)
        return answer.status_code, answer.headers["etag"]

    _, tag = tags()
    assert tags('"x"') == (200, tag)
    assert client.head("a") == 200  # a sign of life, which is no part of it
    for known in (tag, f'"x", {tag}', "*"):
        assert tags(known) == (304, tag)
    client.post("a", tool("cap", version="2.0.0"))
    status, changed = tags(tag)
    assert (status, changed != tag) == (200, True)
    other = client.http.get("/agents", params={"limit": 1}, headers={"if-none-match": changed})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP;q=0.1, br", "gzip"),
        ("gzip;q=0", None),
        ("*", True),
        ("*;q=0", None),
        ("gzip;q=nonsense", None),
        ("identity", None),
        ("gzip, zstd;q=0.9", "gzip"),
    ],
)
def test_coding_is_what_the_client_takes(header: str | None, *, taken: str | bool | None) -> None:
    best = next(iter(encodings.codecs()))
    assert encodings.accepted(header) == (best if taken is True else taken)


def test_coding_whose_library_is_missing_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a Python that was built without it: the module is there, but not its native part."""
    (tmp_path / "compression").mkdir()
    for name in ("compression/__init__.py", "compression/zstd.py", "zstandard.py"):
        (tmp_path / name).write_text("" if "__init__" in name else "import _no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert list(encodings.codecs.__wrapped__()) == ["gzip"]
