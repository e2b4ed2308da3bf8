"""The command line against a real registry."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from click.testing import CliRunner, Result
from tests.service import Service

from meshaccel.cli import main

Json = dict[str, Any]


class Run(Protocol):
    """Runs the command with these arguments; nothing that it raises is hidden."""

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """Return what came of it."""


@pytest.fixture(autouse=True)
def no_foreign_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a developer's shell has set for a registry is not for the tests."""
    for name in (
        "HOST",
        "PORT",
        "DATABASE_URL",
        "DEFAULT_TIMEOUT_THRESHOLD",
        "HEALTH_CHECK_INTERVAL",
        "MCP_MESH_REGISTRY_URL",
        "MCP_MESH_RETENTION",
        "MCP_MESH_SWEEP_INTERVAL",
        "MCP_MESH_EVENT_MAX_ROWS",
        "MCP_MESH_LOG_LEVEL",
        "MCP_MESH_TLS_MODE",
        "MESHACCEL_ALLOWED_HOSTS",
        "MESHACCEL_READ_TOKEN_FILE",
        "MESHACCEL_TOKEN",
        "MESHACCEL_TOKEN_FILE",
        "MESHACCEL_WRITE_TOKEN_FILE",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def registry(server: Service, tmp_path: Path) -> Iterator[Service]:
    """A registry of the test's own, empty."""
    with server.open(tmp_path / "registry.db"):
        yield server


@pytest.fixture
def run(server: Service) -> Run:
    """Run the command in this process; it talks to the test's registry by default."""

    def run(*arguments: str, **environment: str) -> Result:
        environment = {"MCP_MESH_REGISTRY_URL": server.url} | environment
        return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)

    return run


@pytest.fixture
def heartbeat(registry: Service) -> Callable[..., None]:
    """Register an agent as its SDK would."""

    def heartbeat(agent_id: str, *tools: Json, **fields: object) -> None:
        body = {"agent_id": agent_id, "tools": tools, **fields}
        answer = httpx.post(f"{registry.url}/heartbeat", json=body, timeout=60).json()
        assert answer["status"] == "success", answer

    return heartbeat


def tool(name: str, **fields: object) -> Json:
    """Return a tool that offers the capability of its name."""
    return {"function_name": f"serve_{name}", "capability": name, **fields}


def write_lines(path: Path, records: Iterable[Json]) -> Path:
    """Write records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def summary(agents: int, **counts: int) -> str:
    """Return the last line of an import."""
    outcomes = ("created", "updated", "unchanged", "failed")
    parts = ", ".join(f"{counts.get(outcome, 0)} {outcome}" for outcome in outcomes)
    return f"{agents} agents: {parts}\n"
