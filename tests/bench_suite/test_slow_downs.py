"""`make bench-check` notices what has become slower, and says what it is."""

import json
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from benches.suite.__main__ import main

from meshaccel.grouping import RowGrouper
from meshaccel.pool import ConnectionPool


def check(results: Path, *names: str) -> int:
    return main(["--check", "--quick", "--only", *names, "--json", str(results)])


def test_what_is_as_it_was_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what was measured is written down, with what is needed to compare it."""
    results = tmp_path / "folder" / "latest.json"
    assert check(results, "listing.queries", "pool.trips") == 0
    assert "Every gain is above its floor." in capsys.readouterr().out
    written = json.loads(results.read_text())
    assert written["provenance"]["machine"]["cores"]
    assert written["versions"]["meshaccel"]
    listing, pool = written["figures"]
    assert (listing["name"], pool["name"]) == ("listing.queries", "pool.trips")
    assert (listing["ours"], listing["baseline"], listing["goal"]) == (2, 301, 80)
    assert listing["samples"] == {"ours": [2], "baseline": [301]}


def test_one_query_per_agent_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name, whatever the machine does meanwhile."""
    fetch = RowGrouper.fetch

    async def fetch_and_look_again(
        self: RowGrouper, conn: aiosqlite.Connection, **options: Any
    ) -> list[Any]:
        agents = await fetch(self, conn, **options)
        for agent in agents:
            await conn.execute_fetchall("SELECT 1 FROM agents WHERE id = ?", (agent["id"],))
        return agents

    monkeypatch.setattr(RowGrouper, "fetch", fetch_and_look_again)
    assert check(tmp_path / "latest.json", "listing.queries") == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert failed[0].startswith("FAILED listing.queries: -0.3322 % less, the floor is 99.3")


def test_a_read_that_takes_eight_times_as_long_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name, after three looks."""
    fetch_one = ConnectionPool.fetch_one

    async def fetch_eight_times(self: ConnectionPool, *arguments: Any) -> Any:
        for _ in range(7):
            await fetch_one(self, *arguments)
        return await fetch_one(self, *arguments)

    monkeypatch.setattr(ConnectionPool, "fetch_one", fetch_eight_times)
    assert check(tmp_path / "latest.json", "pool.read", "pool.trips") == 1
    printed = capsys.readouterr().out
    assert "FAILED pool.read: " in printed
    assert "FAILED pool.trips: -166.7 % less, the floor is 66.6" in printed
