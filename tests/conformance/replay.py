"""Replay recorded registry conversations over HTTP and compare the answers in one normal form.

Every scenario starts from an empty registry, so give each one a fresh instance:

    for scenario in load():
        problems = differences(scenario, run(scenario, url_of_a_fresh_registry()))
        assert not problems, "\n".join(problems)
"""  # noqa: D301 - the backslash is meant

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

from .answers import Json, agrees, normalise
from .layout import layout

SCENARIOS = Path(__file__).parent / "scenarios"
REQUEST_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """One request and what is known about its answer; README.md lists the fields."""

    source: dict[str, Json]

    @property
    def method(self) -> str:
        """The HTTP method."""
        if "call" in self.source:
            return str(self.source["call"]).split(" ", 1)[0]
        plain = (verb for verb in ("head", "delete", "get") if verb in self.source)
        return next(plain, "post").upper()

    @property
    def path(self) -> str:
        """The path with its query."""
        if "call" in self.source:
            return str(self.source["call"]).split(" ", 1)[1]
        if "get" in self.source:
            return str(self.source["get"])
        if "head" in self.source:
            return "/heartbeat/" + quote(self.source["head"], safe="")
        if "delete" in self.source:
            return "/agents/" + quote(self.source["delete"], safe="")
        return "/heartbeat"

    @property
    def content(self) -> bytes | None:
        """The request body."""
        if "post_text" in self.source:
            return str(self.source["post_text"]).encode()
        if "post" in self.source:
            return json.dumps(self.source["post"]).encode()
        return None

    @property
    def wanted(self) -> Json:
        """What our registry has to answer: upstream's answer, unless we differ on purpose."""
        return self.source.get("expected", self.source.get("answer"))

    def __str__(self) -> str:
        if "grid" in self.source:
            return f"grid of {self.source['grid']['field']}"
        body = self.source.get("post")
        agent = f" of {body['agent_id']}" if isinstance(body, dict) and "agent_id" in body else ""
        return f"{self.method} {self.path}{agent}"


@dataclass(frozen=True)
class Scenario:
    """A conversation with an initially empty registry."""

    file: Path
    name: str
    about: str
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        """`file/name`, unique."""
        return f"{self.file.stem}/{self.name}"


def load(folder: Path = SCENARIOS) -> list[Scenario]:
    """All scenarios, by file name and then in the order written."""
    return [scenario for file in sorted(folder.glob("*.json")) for scenario in _load_file(file)]


def _load_file(file: Path) -> Iterator[Scenario]:
    for entry in json.loads(file.read_text(encoding="utf-8")):
        steps = tuple(Step(step) for step in entry["steps"])
        yield Scenario(file, entry["name"], entry["about"], steps)


def run(scenario: Scenario, base_url: str) -> list[Json]:
    """Send the steps in order to an empty registry; return the answers in normal form."""
    with httpx.Client(
        base_url=base_url, timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        return [ask(client, step) for step in scenario.steps]


def ask(client: httpx.Client, step: Step) -> Json:
    """Send one step; return the answer in normal form."""
    if "grid" in step.source:
        return _ask_grid(client, step.source["grid"])
    headers = {} if step.content is None else {"content-type": "application/json"}
    response = client.request(step.method, step.path, content=step.content, headers=headers)
    return normalise(response, brief="brief" in step.source, any_order="any_order" in step.source)


def differences(scenario: Scenario, answers: Sequence[Json]) -> list[str]:
    """One readable text per step that was not answered as wanted; empty if all were."""
    problems = []
    for number, (step, got) in enumerate(zip(scenario.steps, answers, strict=True), start=1):
        if agrees(step.wanted, got):
            continue
        before, after = (layout(_sorted(form)).splitlines() for form in (step.wanted, got))
        change = difflib.unified_diff(before, after, "wanted", "got", lineterm="", n=2)
        why = f" ({step.source['why']})" if "why" in step.source else ""
        problems.append("\n".join([f"{scenario.id} step {number}: {step}{why}", *change]))
    return problems


def _sorted(form: Json) -> Json:
    """Order the keys, whose order means nothing, so that only differences are shown."""
    return json.loads(json.dumps(form, sort_keys=True))


def _ask_grid(client: httpx.Client, grid: dict[str, Json]) -> Json:
    """Find which offers satisfy which asks: one tool per offer, one function per ask.

    Each offer has a capability of its own, so offers never compete, and one POST decides all pairs.
    """
    offers, asks = _labelled(grid["offers"]), _labelled(grid["asks"])
    names = [f"offer {number}" for number in range(len(offers))]
    tools = [
        {"function_name": name, "capability": name, **_offered(grid, value)}
        for name, (_, value) in zip(names, offers, strict=True)
    ]
    functions = [
        {
            "function_name": f"ask {number}",
            "capability": "asking",
            "dependencies": [{"capability": name, **_asked(grid, value)} for name in names],
        }
        for number, (_, value) in enumerate(asks)
    ]
    _post(client, {"agent_id": "provider", "tools": tools})
    wiring = _post(client, {"agent_id": "consumer", "tools": functions})["dependencies_resolved"]
    return [
        [label, [offers[at][0] for at in _available(wiring[f"ask {number}"], names)]]
        for number, (label, _) in enumerate(asks)
    ]


def _labelled(values: Json) -> list[tuple[Json, Json]]:
    """Named values as they are; the values of a plain list are their own names."""
    if isinstance(values, dict):
        return list(values.items())
    return [(value, value) for value in values]


def _offered(grid: dict[str, Json], value: Json) -> dict[str, Json]:
    if grid["field"] != "schema":
        return {grid["field"]: value}
    if value is None:
        return {}
    return {"outputSchemaCanonical": value, "outputSchemaHash": _schema_hash(value)}


def _asked(grid: dict[str, Json], value: Json) -> dict[str, Json]:
    if grid["field"] != "schema":
        return {grid["field"]: value}
    mode = {"matchMode": grid["mode"]} if "mode" in grid else {}
    if value is None:
        return mode
    return mode | {"expectedSchemaCanonical": value, "expectedSchemaHash": _schema_hash(value)}


def _schema_hash(schema: Json) -> str:
    """Stand in for the SDK's hash: equal schemas have equal hashes, others do not."""
    return "sha256:" + hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def _post(client: httpx.Client, body: Json) -> Json:
    return client.post("/heartbeat", json=body).raise_for_status().json()


def _available(edges: list[dict[str, Json]], names: list[str]) -> list[int]:
    """Positions that are wired; an answer not aligned with the declaration is refused."""
    answered = [edge["capability"] for edge in edges]
    if answered != names:
        message = f"dependencies_resolved is not aligned with the declaration: {answered}"
        raise AssertionError(message)
    return [at for at, edge in enumerate(edges) if edge["status"] == "available"]


def main() -> int:
    """Replay one scenario against a running registry and print the differences."""
    parser = argparse.ArgumentParser(description="Replay one scenario against an empty registry.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--scenario", required=True, help="file/name, for example ranking/scores")
    options = parser.parse_args()
    scenarios = {scenario.id: scenario for scenario in load()}
    if options.scenario not in scenarios:
        parser.error(f"no scenario {options.scenario}; there are: {', '.join(scenarios)}")
    scenario = scenarios[options.scenario]
    problems = differences(scenario, run(scenario, options.url))
    all_well = f"{scenario.id}: all {len(scenario.steps)} answers as wanted"
    sys.stdout.write(("\n\n".join(problems) or all_well) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
