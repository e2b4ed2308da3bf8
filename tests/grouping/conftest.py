"""Every driver in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .backends import POSTGRES, SQLITE, Backend, postgres_backend, sqlite_backend


@pytest.fixture(params=[*SQLITE, *POSTGRES])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty database, by each driver."""
    if request.param in SQLITE:
        with sqlite_backend(request.param, tmp_path / "rows.db") as opened:
            yield opened
    else:
        with postgres_backend(request.param, request.getfixturevalue("postgres_uri")) as opened:
            yield opened


@pytest.fixture(params=SQLITE)
def sqlite_only(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty SQLite file, by each driver: for what only SQLite does."""
    with sqlite_backend(request.param, tmp_path / "rows.db") as opened:
        yield opened


@pytest.fixture(params=POSTGRES)
def postgres_only(request: pytest.FixtureRequest, postgres_uri: str) -> Iterator[Backend]:
    """An empty schema of Postgres, by each driver: for what only Postgres does."""
    with postgres_backend(request.param, postgres_uri) as opened:
        yield opened
