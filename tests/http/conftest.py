"""Fixtures shared by the tests of the HTTP interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.http.client import Client, VirtualClock, registry_on, tool
from tests.service import Service

# No test module, so pytest has to be told to explain its assertions.
pytest.register_assert_rewrite("tests.http.refusals")


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of ``client`` and ``mesh``."""
    return VirtualClock()


@pytest.fixture
def client(server: Service, tmp_path: Path, clock: VirtualClock) -> Iterator[Client]:
    """An empty registry in ``r.db``."""
    with registry_on(server, tmp_path / "r.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def mesh(client: Client, clock: VirtualClock) -> Client:
    """The registry with one wired consumer ``c`` of ``p``."""
    client.post("p", tool("cap"))
    client.post("c", tool("use", "cap"))
    clock.seconds += 1  # so that a record written again shows it by its time
    return client
