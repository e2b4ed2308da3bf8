"""`meshaccel show` against a real registry."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Run, tool, write_lines
from tests.service import Service

from meshaccel.cli.client import agent_path

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "const": "Zürich"}}}


@pytest.fixture
def mesh(heartbeat: Callable[..., None]) -> None:
    """A provider and a consumer with every kind of dependency."""
    heartbeat(
        "provider",
        tool("greet", description="says hello", inputSchema=SCHEMA, tags=["polite"]),
        tool("think", inputSchema=SCHEMA, tags=["llm"]),
        tool("__mesh_job_status"),
    )
    heartbeat(
        "consumer",
        tool("ask", dependencies=[{"capability": "greet", "tags": ["polite"]}]),
        tool("hope", dependencies=[{"capability": "absent", "required": True}]),
        tool("reason", llm_filter={"filter": [{"tags": ["polite"]}], "filter_mode": "all"}),
        tool("delegate", llm_provider={"capability": "think", "tags": ["llm"]}),
        version="1.2.0",
        namespace="north",
        description="first line\nsecond \x1b[1mline",
    )


def sections(text: str) -> dict[str, list[list[str]]]:
    """Split what is shown into tables of cells by title."""
    found = {}
    for part in text.split("\n\n"):
        title, *rows = part.splitlines()
        found[title.split(" (")[0]] = [
            [cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows
        ]
    return found


@pytest.mark.usefixtures("mesh")
def test_a_provider(run: Run) -> None:
    result = run("show", "provider")
    assert result.exit_code == 0
    shown = sections(result.stdout)
    assert shown["Capabilities"][1:] == [
        ["greet", "serve_greet", "1.0.0", "yes", "polite", "says hello"],
        ["think", "serve_think", "1.0.0", "yes", "llm"],
        ["and 1 of the framework"],
    ]
    assert "Dependencies" not in shown
    assert "\nlast seen " in result.stdout


@pytest.mark.usefixtures("mesh")
def test_a_consumer(run: Run) -> None:
    """What is not available says why; what was told says by whom it is served."""
    text = run("show", "consumer").stdout
    shown = sections(text)
    assert shown["Capabilities"][2][:2] == ["hope", "serve_hope"]
    assert shown["Capabilities"][2][3].startswith("no: ")
    assert "absent" in shown["Capabilities"][2][3]
    assert shown["Dependencies"][1:] == [
        ["serve_ask", "greet [polite]", "available", "provider serve_greet", "stdio://provider"],
        ["serve_hope", "absent", "unresolved", "-", "-"],
    ]
    assert shown["LLM tools"][1][:4] == [
        "serve_reason",
        "* [polite]",
        "available",
        "provider serve_greet",
    ]
    assert shown["LLM providers"][1][:4] == [
        "serve_delegate",
        "think [llm]",
        "available",
        "provider serve_think",
    ]
    assert "description  first line\n             second \\x1b[1mline\n" in text


@pytest.mark.usefixtures("mesh")
def test_json_is_the_registry_s_answer(registry: Service, run: Run) -> None:
    shown = json.loads(run("show", "provider", "--json").stdout)
    answer = httpx.get(f"{registry.url}/agents/provider").json()
    assert shown.pop("last_seen")
    del answer["last_seen"]
    assert shown == answer
    assert shown["tools"][0]["inputSchema"] == SCHEMA


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    "agent_id", ["a/b", "a b", "ä?x=1#f", "..", ".", "a%2Fb", "a/../b", "<script>", "日本", "a+b"]
)
def test_ids_of_any_kind(run: Run, tmp_path: Path, agent_id: str) -> None:
    """An id is text to the command, not a path."""
    records = [{"agent_id": agent_id, "labels": {"team": "[red]maps"}, "source": "here"}]
    assert run("import", str(write_lines(tmp_path / "a.jsonl", records))).exit_code == 0
    assert json.loads(run("show", agent_id, "--json").stdout)["id"] == agent_id
    text = run("show", agent_id).stdout
    assert text.split()[:2] == ["id", agent_id.split(maxsplit=1)[0]]
    assert "label team  [red]maps" in text
    assert "last seen" not in text


@pytest.mark.usefixtures("registry")
def test_an_unknown_agent(run: Run) -> None:
    """The registry's words, fit for a terminal."""
    result = run("show", "\x1b[2Jnobody")
    assert result.exit_code == 1
    assert result.stderr == "Error: agent \\x1b[2Jnobody is not registered\n"
    assert not result.stdout


def test_usage_errors(run: Run) -> None:
    assert run("show").exit_code == 2
    assert run("show", "").exit_code == 2
    assert run("show", "a", "b").exit_code == 2


def test_a_path_is_of_one_agent() -> None:
    assert agent_path("a/b.c") == "/agents/a%2Fb.c"
    assert agent_path("..") == "/agents/%2E%2E"


def test_an_agent_may_be_named_as_far_as_it_is_told_apart(
    heartbeat: Callable[..., None], run: Run
) -> None:
    """A name or the beginning of an id will do, unless it may mean several agents."""
    heartbeat("web-1a2b", tool("x"), name="web")
    heartbeat("mail-1", tool("y"), name="mail")
    heartbeat("mail-2", tool("y"), name="mail")
    for meant in ("web-1a2b", "web-1", "web"):
        assert json.loads(run("show", meant, "--json").stdout)["id"] == "web-1a2b"
    result = run("show", "mail")
    assert result.exit_code == 1
    assert result.stderr == "Error: 'mail' may mean any of 2 agents: mail-1, mail-2\n"
