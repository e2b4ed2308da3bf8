"""Real catalogues go in and come out equal."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from tests.cli.conftest import Json, Run, summary, write_lines
from tests.service import Service

DATA = Path(__file__).parents[3] / "shared" / "data"
REAL = ("mcp_servers.jsonl", "openapi_services.jsonl.gz")
ODD = "odd.jsonl"
"""Made here, so that the shapes of real catalogues are tested where those are not at hand."""


def catalogue(name: str, folder: Path) -> tuple[Path, list[Json]]:
    """Return a catalogue and its records."""
    if name == ODD:
        records = list(odd_records())
        return write_lines(folder / name, records), records
    file = DATA / name
    if not file.exists():
        pytest.skip(f"needs the catalogue {file}")
    data = file.read_bytes()
    text = gzip.decompress(data) if name.endswith(".gz") else data
    return file, [json.loads(line) for line in text.splitlines()]


def odd_records() -> Iterator[Json]:
    """Yield records of every shape that real catalogues have: ids, nesting, repetition, nulls."""
    deep: Json = {"type": "string"}
    for _ in range(31):
        deep = {"type": "object", "properties": {"x": deep}, "required": ["x"]}
    schemas: list[Json] = [
        {},
        {"type": "object"},
        deep,
        {"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1, 1.0, True, None, "é", 2**60, -0.5]}}},
    ]
    plain = ("plain", "com.example/mail", "Öl & Gas", "日本/天気")
    names = (*plain, "emoji 🌦", "a%2Fb", "a?b#c", "UPPER")
    for number, name in enumerate(names):
        yield {
            "agent_id": name,
            "name": name.upper(),
            "description": "d" * 9500 if number == 1 else None,
            "version": None if number % 2 else f"{number}.0",
            "namespace": f"ns {number}",
            "endpoint": (None, "https://h/mcp", "stdio:x", "image:latest")[number % 4],
            "tags": ["a", "b"][: number % 3],
            "labels": {"k": "v"} if number % 2 else {},
            "capabilities": [
                {
                    "name": f"cap {index % 5}",
                    "version": None,
                    "description": "twice",
                    "tags": ["read-only"] if index % 2 else [],
                    "input_schema": schemas[index % len(schemas)],
                }
                for index in range(number * 40)
            ],
            "source": "made",
        }


def tools(capabilities: list[Json]) -> list[str]:
    """Return what a record's capabilities are as tools: as a multiset, nothing left out."""
    return sorted(
        json.dumps(
            {
                "function_name": capability["name"],
                "capability": capability["name"],
                **{
                    field: capability[source]
                    for field, source in (
                        ("version", "version"),
                        ("description", "description"),
                        ("inputSchema", "input_schema"),
                    )
                    if capability.get(source) is not None
                },
                **({"tags": capability["tags"]} if capability.get("tags") else {}),
            },
            sort_keys=True,
        )
        for capability in capabilities
    )


def as_multiset(items: list[Json]) -> list[str]:
    """Return an order for objects, so that equal multisets are equal lists."""
    return sorted(json.dumps(item, sort_keys=True) for item in items)


@pytest.mark.parametrize("name", [ODD, *REAL])
def test_a_catalogue_goes_in_and_comes_out_equal(
    registry: Service, run: Run, tmp_path: Path, name: str
) -> None:
    """Every agent, with the same set of capabilities and schemas that are equal all the way."""
    file, records = catalogue(name, tmp_path)
    assert run("import", str(file)).stdout == summary(len(records), created=len(records))
    agents = {agent["id"]: agent for agent in json.loads(run("list", "--json").stdout)}
    assert set(agents) == {record["agent_id"] for record in records}
    with httpx.Client(base_url=registry.url, timeout=60) as client:
        for record in records:
            path = "/agents/" + quote(record["agent_id"], safe="")
            assert_equal(record, client.get(path).raise_for_status().json())
    for record in records[::50]:
        shown = run("show", record["agent_id"], "--json")
        assert_equal(record, json.loads(shown.stdout))
        assert run("show", record["agent_id"]).exit_code == 0


def assert_equal(record: Json, shown: Json) -> None:
    """Hold what the registry has of an agent against the record it was given."""
    assert as_multiset(shown["tools"]) == tools(record["capabilities"])
    assert len(shown["capabilities"]) == len(record["capabilities"])
    for field in ("name", "description", "version", "namespace"):
        assert shown[field] == (record[field] or "")
    assert shown["endpoint"] == record["endpoint"] or record["endpoint"] is None
    for field in ("tags", "labels", "source"):
        assert shown[field] == record[field]


@pytest.mark.parametrize("name", [ODD, REAL[0]])
def test_importing_a_catalogue_again_changes_nothing(
    registry: Service, run: Run, tmp_path: Path, name: str
) -> None:
    """The second import makes no revision."""
    file, records = catalogue(name, tmp_path)

    def revisions() -> dict[str, int]:
        return {
            record["agent_id"]: client.get("/agents/" + quote(record["agent_id"], safe="")).json()[
                "revision"
            ]
            for record in records
        }

    run("import", str(file))
    with httpx.Client(base_url=registry.url, timeout=60) as client:
        before = revisions()
        assert run("import", str(file)).stdout == summary(len(records), unchanged=len(records))
        assert revisions() == before
    assert max(before.values()) == len(records)
