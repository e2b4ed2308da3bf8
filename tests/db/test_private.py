"""What a registry puts on disk is for its own user."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from meshaccel import AgentRegistry, Declaration

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


async def use(path: Path) -> dict[str, int]:
    """Return the modes of all files there are while a registry is open."""
    async with await AgentRegistry.open(str(path)) as registry:
        await registry.register(Declaration(agent_id="a"))
        return {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}


def test_files_are_their_owner_s(tmp_path: Path) -> None:
    """Also those that SQLite makes, and whatever the umask says."""
    before = os.umask(0)
    try:
        modes = asyncio.run(use(tmp_path / "r.db"))
    finally:
        os.umask(before)
    assert {"r.db", "r.db-wal", "r.db-shm", "r.db-feed"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_file_that_was_opened_to_others_stays_so(tmp_path: Path) -> None:
    (tmp_path / "r.db").touch(0o640)
    (tmp_path / "r.db").chmod(0o640)
    modes = asyncio.run(use(tmp_path / "r.db"))
    assert modes["r.db"] == modes["r.db-wal"] == 0o640
