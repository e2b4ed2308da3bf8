"""Fixtures of the tests of second levels."""

from pathlib import Path

import pytest
from tests.cache.level2.stores import RedisStore, SqliteStore
from tests.valkey import Valkey


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """A file of its own."""
    return SqliteStore(tmp_path / "l2.db")


@pytest.fixture
def redis_store(valkey_server: Valkey) -> RedisStore:
    """A namespace of its own."""
    return RedisStore(valkey_server)
