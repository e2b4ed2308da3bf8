"""Real catalogues go in and come out equal."""

import gzip
import json
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Json, Run, summary
from tests.service import Service

DATA = Path(__file__).parents[3] / "shared" / "data"
CATALOGUES = ("mcp_servers.jsonl", "openapi_services.jsonl.gz")


def catalogue(name: str) -> tuple[Path, list[Json]]:
    """Return a catalogue of real agents and its records."""
    file = DATA / name
    if not file.exists():
        pytest.skip(f"needs the catalogue {file}")
    data = file.read_bytes()
    text = gzip.decompress(data) if name.endswith(".gz") else data
    return file, [json.loads(line) for line in text.splitlines()]


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


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_real_catalogue_goes_in_and_comes_out_equal(
    registry: Service, run: Run, name: str
) -> None:
    file, records = catalogue(name)
    assert run("import", str(file)).stdout == summary(len(records), created=len(records))
    agents = {agent["id"]: agent for agent in json.loads(run("list", "--json").stdout)}
    assert set(agents) == {record["agent_id"] for record in records}
    with httpx.Client(base_url=registry.url) as client:
        for record in records:
            path = "/agents/" + record["agent_id"].replace("/", "%2F")
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


def test_importing_a_catalogue_again_changes_nothing(registry: Service, run: Run) -> None:
    file, records = catalogue(CATALOGUES[0])

    def revisions() -> dict[str, int]:
        return {
            record["agent_id"]: client.get(
                "/agents/" + record["agent_id"].replace("/", "%2F")
            ).json()["revision"]
            for record in records
        }

    run("import", str(file))
    with httpx.Client(base_url=registry.url) as client:
        before = revisions()
        assert run("import", str(file)).stdout == summary(len(records), unchanged=len(records))
        assert revisions() == before
    assert max(before.values()) == len(records)
