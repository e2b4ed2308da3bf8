"""`meshaccel events` against a real registry."""

import json
from collections.abc import Callable

import httpx
import pytest
from tests.cli.conftest import Json, Run, tool
from tests.service import Service

from meshaccel.cli.events import details


@pytest.fixture
def history(registry: Service, heartbeat: Callable[..., None]) -> None:
    """A provider comes, is used, and leaves; its consumer is told."""
    needs_greet = tool("ask", dependencies=[{"capability": "greet"}])
    heartbeat("provider", tool("greet"))
    heartbeat("consumer", needs_greet)
    assert httpx.delete(f"{registry.url}/agents/provider").status_code == 204
    heartbeat("consumer", needs_greet)


@pytest.mark.usefixtures("history")
def test_the_table(run: Run) -> None:
    """A row for each event, in the registry's order."""
    events = json.loads(run("events", "--json").stdout)
    result = run("events")
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["TIME", "EVENT", "AGENT", "FUNCTION", "DETAILS"]
    assert [row.split()[2:5] for row in rows] == [
        [event["event_type"], event["agent_id"], event.get("function_name", "-")]
        for event in events
    ]
    assert {"register", "unregister", "dependency_unresolved"} <= {row.split()[2] for row in rows}


SPEC = {"capability": "greet", "tags": ["polite"]}
DETAILS = [
    ({"spec": SPEC, "chosen": {"agent_id": "a", "endpoint": "http://a"}}, "greet from a"),
    ({"spec": SPEC}, "greet from nobody"),
    ({"reason": "heartbeat_timeout", "source": "health_monitor"}, "heartbeat_timeout"),
    ({"name": "a", "agent_type": "api", "version": None}, ""),
    ({}, ""),
    ({"epoch": 7}, '{"epoch":7}'),
]


@pytest.mark.parametrize(("data", "text"), DETAILS)
def test_details_are_what_a_person_wants_to_know(data: Json, text: str) -> None:
    assert details(data) == text


@pytest.mark.usefixtures("history")
def test_filters(run: Run) -> None:
    def found(*options: str) -> list[Json]:
        events: list[Json] = json.loads(run("events", "--json", *options).stdout)
        return events

    assert {event["event_type"] for event in found("--type", "register")} == {"register"}
    assert {event["agent_id"] for event in found("--agent", "provider")} == {"provider"}
    assert {event["function_name"] for event in found("--function", "serve_ask")} == {"serve_ask"}
    assert len(found("--limit", "1")) == 1
    assert found("--type", "nothing") == []


@pytest.mark.usefixtures("history")
def test_json_is_the_registry_s_answer(registry: Service, run: Run) -> None:
    answer = httpx.get(f"{registry.url}/events").json()["events"]
    assert json.loads(run("events", "--json").stdout) == answer


@pytest.mark.usefixtures("registry")
def test_no_events(run: Run) -> None:
    result = run("events")
    assert (result.stdout, result.stderr) == ("", "no events\n")


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_usage_errors(run: Run, limit: str) -> None:
    assert run("events", "--limit", limit).exit_code == 2
