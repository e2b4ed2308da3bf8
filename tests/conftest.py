"""Fixtures shared by all tests."""

from collections.abc import Iterator

import pytest
from tests.service import Service, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Service]:
    """One server for all tests; each gives it a registry of its own."""
    with serving() as service:
        yield service
