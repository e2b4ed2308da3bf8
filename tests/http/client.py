"""What the tests of the HTTP interface share: agents' calls on a registry of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
from tests.service import Service

from meshaccel.registry.settings import RegistrySettings

Json = dict[str, Any]

QUIET = RegistrySettings(flush_interval_s=3600, check_interval_s=3600, sweep_interval_s=3600)
"""Nothing happens by itself: tests flush, expire and sweep."""


class VirtualClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_us(self) -> int:
        """Return microseconds since 1970."""
        return 1_700_000_000_000_000 + round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return 1000.0 + self.seconds


class Client:
    """The HTTP calls of agents."""

    def __init__(self, server: Service) -> None:
        self._server = server
        self.http = httpx.Client(base_url=server.url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, agent_id: str, *tools: Json, **fields: object) -> Json:
        """Register; the answer must be a success."""
        declared = {"agent_id": agent_id, "http_host": agent_id, "http_port": 80} | fields
        response = self.http.post("/heartbeat", json=declared | {"tools": tools})
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        assert answer["status"] == "success", answer
        return answer

    def head(self, agent_id: str) -> int:
        """Give a sign of life; return the signal."""
        response = self.http.head(f"/heartbeat/{quote(agent_id)}")
        assert response.content == b""
        return response.status_code

    def delete(self, agent_id: str) -> None:
        """Unregister."""
        assert self.http.delete(f"/agents/{agent_id}").status_code == 204

    def get(self, path: str, **query: str | int) -> Json:
        """Return the JSON of a successful GET."""
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def expire(self) -> int:
        """Look for silent agents now."""
        return self._server.call(lambda registry: registry._liveness.expire())


@contextmanager
def registry_on(
    server: Service,
    database: Path | str,
    *,
    clock: VirtualClock | None = None,
    settings: RegistrySettings = QUIET,
) -> Iterator[Client]:
    """Serve a registry for the length of the block."""
    with server.open(database, settings=settings, clock=clock), Client(server) as client:
        yield client


def tool(capability: str, *dependencies: str | Json, **fields: Any) -> Json:
    """Declare a tool; a dependency given as a string is the name of its capability."""
    wanted = [{"capability": d} if isinstance(d, str) else d for d in dependencies]
    declared = {"function_name": f"f_{capability}", "capability": capability, **fields}
    return declared | ({"dependencies": wanted} if wanted else {})


def wired_to(answer: Json, function: str = "f_use") -> list[str]:
    return [entry["agent_id"] for entry in answer["dependencies_resolved"][function]]
