"""Listings that are composed in turns, whether their JSON is kept or not."""

import pytest
from tests.http.client import Client, tool

from meshaccel.http import app
from meshaccel.registry import pages


@pytest.mark.parametrize("per_turn", [1, 7, 20, 21])
@pytest.mark.parametrize("max_written", [0, 1 << 20])
def test_page_of_many_turns_is_complete(
    client: Client, monkeypatch: pytest.MonkeyPatch, per_turn: int, max_written: int
) -> None:
    """Every agent is there once, in order."""
    monkeypatch.setattr(app, "ENTRIES_PER_TURN", per_turn)
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
