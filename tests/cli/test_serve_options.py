"""The options of `meshaccel serve` and the variables behind them; nothing is started."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run

from meshaccel.cli import logs, serve
from meshaccel.http.server import ServerSettings
from meshaccel.registry.settings import RegistrySettings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server and the logs would be started with."""
    taken: dict[str, Any] = {}

    async def no_server(settings: ServerSettings) -> None:
        taken["server"] = settings

    monkeypatch.setattr(serve, "serve", no_server)
    monkeypatch.setattr(logs, "configure", lambda level: taken.update(level=level))
    return taken


def test_defaults_are_the_library_s(run: Run, settings: dict[str, Any]) -> None:
    """Also where a default is written twice, once for people."""
    assert run("serve").exit_code == 0
    assert settings == {"server": ServerSettings(registry=RegistrySettings()), "level": 20}


OPTIONS = [
    ("--host", "HOST", "::1", ServerSettings(host="::1")),
    ("--port", "PORT", "9000", ServerSettings(port=9000)),
    ("--port", "PORT", "0", ServerSettings(port=0)),
    ("--database", "DATABASE_URL", "/x/a b.db", ServerSettings(database="/x/a b.db")),
    ("--database", "DATABASE_URL", "sqlite:///a.db", ServerSettings(database="a.db")),
    ("--database", "DATABASE_URL", "sqlite:////x/a.db", ServerSettings(database="/x/a.db")),
    ("--database", "DATABASE_URL", ":memory:", ServerSettings(database=":memory:")),
    ("--database", "DATABASE_URL", r"C:\data\a.db", ServerSettings(database=r"C:\data\a.db")),
    ("--max-body", "MESHACCEL_MAX_BODY", "1234", ServerSettings(max_body=1234)),
    (
        "--write-token-file",
        "MESHACCEL_WRITE_TOKEN_FILE",
        "/x/t",
        ServerSettings(write_token_file=Path("/x/t")),
    ),
    (
        "--allowed-host",
        "MESHACCEL_ALLOWED_HOSTS",
        " Mesh.example. , b",
        ServerSettings(allowed_hosts=("mesh.example", "b")),
    ),
]
REGISTRY_OPTIONS = [
    ("--timeout", "DEFAULT_TIMEOUT_THRESHOLD", "60", RegistrySettings(timeout_s=60)),
    ("--timeout", "DEFAULT_TIMEOUT_THRESHOLD", "1m30s", RegistrySettings(timeout_s=90)),
    ("--check-interval", "HEALTH_CHECK_INTERVAL", "250ms", RegistrySettings(check_interval_s=0.25)),
    ("--retention", "MCP_MESH_RETENTION", "2h", RegistrySettings(retention_s=7200)),
    ("--retention", "MCP_MESH_RETENTION", "0", RegistrySettings(retention_s=0)),
    ("--sweep-interval", "MCP_MESH_SWEEP_INTERVAL", "10m", RegistrySettings(sweep_interval_s=600)),
    ("--max-events", "MCP_MESH_EVENT_MAX_ROWS", "500", RegistrySettings(max_events=500)),
    ("--max-events", "MCP_MESH_EVENT_MAX_ROWS", "0", RegistrySettings(max_events=2**63 - 1)),
    ("--max-agents", "MESHACCEL_MAX_AGENTS", "7", RegistrySettings(max_agents=7)),
    ("--startup-grace", "MESHACCEL_STARTUP_GRACE", "5s", RegistrySettings(startup_grace_s=5)),
    ("--startup-grace", "MESHACCEL_STARTUP_GRACE", "0", RegistrySettings(startup_grace_s=0)),
]
ALL_OPTIONS = OPTIONS + [
    (option, variable, value, ServerSettings(registry=registry))
    for option, variable, value, registry in REGISTRY_OPTIONS
]


@pytest.mark.parametrize(("option", "variable", "value", "expected"), ALL_OPTIONS)
def test_every_option_and_its_variable(
    run: Run,
    settings: dict[str, Any],
    option: str,
    variable: str,
    value: str,
    expected: ServerSettings,
) -> None:
    assert run("serve", option, value).exit_code == 0
    assert settings.pop("server") == expected
    assert run("serve", **{variable: value}).exit_code == 0
    assert settings.pop("server") == expected
    assert run("serve", option, value, **{variable: "1"}).exit_code == 0
    assert settings.pop("server") == expected


def test_an_empty_variable_is_as_none(run: Run, settings: dict[str, Any]) -> None:
    """As upstream has it."""
    empty = {variable: "" for _, variable, _, _ in ALL_OPTIONS}
    assert run("serve", **empty, MCP_MESH_LOG_LEVEL="", MCP_MESH_TLS_MODE="").exit_code == 0
    assert settings == {"server": ServerSettings(), "level": 20}


@pytest.mark.parametrize(
    ("name", "level"),
    [("TRACE", 10), ("debug", 10), ("Info", 20), ("warn", 30), ("WARNING", 30), ("ERROR", 40)],
)
def test_log_levels(run: Run, settings: dict[str, Any], name: str, level: int) -> None:
    assert run("serve", "--log-level", name).exit_code == 0
    assert settings.pop("level") == level
    assert run("serve", MCP_MESH_LOG_LEVEL=name).exit_code == 0
    assert settings.pop("level") == level


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("DEFAULT_TIMEOUT_THRESHOLD", "-20"),
        ("DEFAULT_TIMEOUT_THRESHOLD", "0"),
        ("HEALTH_CHECK_INTERVAL", "soon"),
        ("HEALTH_CHECK_INTERVAL", "0s"),
        ("MCP_MESH_RETENTION", "1d"),
        ("MCP_MESH_RETENTION", "-1h"),
        ("MCP_MESH_SWEEP_INTERVAL", "0"),
        ("MCP_MESH_EVENT_MAX_ROWS", "-1"),
        ("MCP_MESH_EVENT_MAX_ROWS", "1e5"),
        ("MCP_MESH_LOG_LEVEL", "loud"),
        ("MESHACCEL_MAX_BODY", "0"),
        ("MESHACCEL_ALLOWED_HOSTS", "mesh.example:8000"),
        ("MESHACCEL_ALLOWED_HOSTS", "http://mesh.example"),
        ("MESHACCEL_ALLOWED_HOSTS", "*"),
        ("MESHACCEL_STARTUP_GRACE", "-1"),
        ("MCP_MESH_TLS_MODE", "strict"),
        ("MCP_MESH_TLS_MODE", "auto"),
        ("DATABASE_URL", "postgres://me:hunter2@db/mesh"),
        ("DATABASE_URL", "postgresql+psycopg://me:hunter2@db/mesh"),
        ("DATABASE_URL", "host=db user=me password=hunter2"),
        ("DATABASE_URL", "mysql://me:hunter2@db/mesh"),
        ("DATABASE_URL", "sqlite://me:hunter2@db/mesh"),
        ("DATABASE_URL", "sqlite:///a.db?mode=ro"),
        ("DATABASE_URL", "file:a.db?mode=ro"),
    ],
)
def test_bad_values_are_usage_errors_that_name_the_variable(
    run: Run, settings: dict[str, Any], variable: str, value: str
) -> None:
    """Nothing starts; and what a database's address holds is not repeated."""
    result = run("serve", **{variable: value})
    assert result.exit_code == 2
    assert f"(env var: '{variable}')" in result.stderr
    assert "hunter2" not in result.output
    assert not settings


@pytest.mark.parametrize("mode", ["off", "OFF", " off "])
def test_tls_that_is_off_is_no_obstacle(run: Run, settings: dict[str, Any], mode: str) -> None:
    assert run("serve", MCP_MESH_TLS_MODE=mode).exit_code == 0
    assert settings


def test_the_refusal_of_tls_says_what_to_do(run: Run) -> None:
    message = run("serve", MCP_MESH_TLS_MODE="strict").stderr
    assert "TLS is not supported yet: put a proxy that terminates TLS in front" in message
    assert "MCP_MESH_TLS_MODE=off" in message


def loop_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the module of the event loop that serves."""
    modules = []

    async def note_loop(_: ServerSettings) -> None:
        modules.append(type(asyncio.get_running_loop()).__module__)

    monkeypatch.setattr(serve, "serve", note_loop)
    monkeypatch.setattr(logs, "configure", lambda _: None)
    assert run("serve").exit_code == 0
    return modules[0]


def test_uvloop_where_it_is_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvloop")
    assert loop_of(run, monkeypatch) == "uvloop"


def test_asyncio_where_it_is_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    assert loop_of(run, monkeypatch).startswith("asyncio")
