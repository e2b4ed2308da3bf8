"""Fixtures of the tests of second levels."""

from pathlib import Path

import pytest
from tests.cache.level2.stores import SqliteStore


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """A file of its own."""
    return SqliteStore(tmp_path / "l2.db")
