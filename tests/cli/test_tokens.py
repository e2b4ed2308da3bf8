"""Tokens on the command line: where they come from, and where they never show."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run, summary, write_lines
from tests.integration.processes import Registry, request
from tests.service import Service

from meshaccel.http.auth import Gate
from meshaccel.http.tokens import TokenFile

TOKEN = "token-0123456789abcdef"  # noqa: S105
OTHER = "other-0123456789abcdef"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """A file with two tokens."""
    path = tmp_path / "tokens"
    path.write_text(f"{TOKEN}\n{OTHER}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def guarded(server: Service, tmp_path: Path, tokens: Path) -> Iterator[Service]:
    """A registry that wants a token for everything."""
    gate = Gate(write_tokens=TokenFile(tokens), read_tokens=TokenFile(tokens))
    with server.open(tmp_path / "registry.db", gate=gate):
        yield server


@pytest.mark.usefixtures("guarded")
def test_every_command_sends_the_token(run: Run, tmp_path: Path, tokens: Path) -> None:
    """From a file or the environment; a file that is named stands above both."""
    lines = str(write_lines(tmp_path / "a.jsonl", [{"agent_id": "a"}]))
    ways: list[tuple[list[str], dict[str, str]]] = [
        (["--token-file", str(tokens)], {"MESHACCEL_TOKEN": OTHER[:-1]}),
        ([], {"MESHACCEL_TOKEN_FILE": str(tokens)}),
        ([], {"MESHACCEL_TOKEN": f" {OTHER}\n"}),
    ]
    for arguments, environment in ways:
        loaded = run("import", lines, *arguments, **environment)
        assert loaded.exit_code == 0
        assert "agents: " in loaded.stdout
        for command in (["list"], ["show", "a"], ["events"]):
            assert run(*command, *arguments, **environment).exit_code == 0


@pytest.mark.usefixtures("guarded")
def test_what_a_missing_or_wrong_token_leads_to(run: Run, tmp_path: Path) -> None:
    lines = str(write_lines(tmp_path / "a.jsonl", [{"agent_id": "a"}]))
    missing = run("import", lines, MESHACCEL_TOKEN="")
    assert (missing.exit_code, missing.stdout) == (1, summary(1, failed=1))
    assert "a.jsonl:1: a token is needed" in missing.stderr
    for command in (["list"], ["watch"]):
        wrong = run(*command, MESHACCEL_TOKEN=TOKEN[:-1])
        assert wrong.exit_code == 1
        assert "the token is none of this registry's" in wrong.stderr
        assert TOKEN[:-1] not in wrong.output


@pytest.mark.parametrize("command", ["list", "watch", "events"])
def test_what_is_no_token_is_not_repeated(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "bad").write_text("hunter2")
    for arguments, environment in (
        (["--token-file", "bad"], {}),
        (["--token-file", "missing"], {}),
        ([], {"MESHACCEL_TOKEN": "hunter2"}),
        ([], {"MESHACCEL_TOKEN": f"{TOKEN}\nhunter2"}),
    ):
        result = run(command, *arguments, **environment)
        assert result.exit_code == 2
        assert "--token-file" in result.stderr
        assert "hunter2" not in result.output


def test_serve_with_tokens(tmp_path: Path, tokens: Path) -> None:
    """As a process; nothing of the tokens is logged, whatever is logged."""
    registry = Registry(tmp_path)
    registry.env |= {
        "MESHACCEL_WRITE_TOKEN_FILE": str(tokens),
        "MESHACCEL_READ_TOKEN_FILE": str(tokens),
        "MCP_MESH_LOG_LEVEL": "debug",
    }
    try:
        registry.start()
        agents = f"{registry.url}/agents"
        assert request("GET", agents).status == 401
        for token, status in ((TOKEN, 200), (TOKEN[:-1], 401)):
            headers = {"authorization": f"Bearer {token}"}
            assert request("GET", agents, headers=headers).status == status
            posted = request("POST", f"{registry.url}/heartbeat", b"{}", headers=headers)
            assert posted.status == (400 if status == 200 else 401)
        assert request("GET", agents, headers={"host": "evil.example"}).status == 421
        assert registry.terminate() == 0
    finally:
        registry.kill()
    log = registry.log.read_text()
    assert TOKEN[:-1] not in log
    assert any(json.loads(line).get("status") == 401 for line in log.splitlines())


def test_serve_without_usable_tokens_does_not_start(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("hunter2")
    for path in ("bad", "missing"):
        result = run("serve", "--write-token-file", path)
        assert result.exit_code == 1
        assert path in result.stderr
        assert "hunter2" not in result.output
    assert run("serve", "--read-token-file", "bad").exit_code == 2
    assert not (tmp_path / "meshaccel.db").exists()


def test_password_of_a_malformed_url_is_not_repeated(run: Run) -> None:
    """A token may hold a slash, after which a URL's port would stand."""
    refused = run("list", "--registry", f"http://agent:{TOKEN}/{OTHER}@host")
    assert refused.exit_code == 2
    assert TOKEN not in refused.stderr
