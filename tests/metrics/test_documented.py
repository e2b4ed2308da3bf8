"""docs/metrics.md and docs/grafana.json know of exactly the metrics that there are."""

import json
import re
import sys
from typing import Any

import pytest
from tests.metrics.exported import DOCS, Exported, documented, exported

Json = dict[str, Any]

UNITS = {"1", "bytes", "seconds", "0 to 1", "seconds since 1970"}
DASHBOARD: Json = json.loads((DOCS / "grafana.json").read_text())
PANELS: list[Json] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="module")
def there() -> Exported:
    """What is exported."""
    return exported()


def test_each_metric_is_documented_as_it_is(there: Exported) -> None:
    everything = {
        family.name: family
        for family in (*there.service, *there.registry, *there.caches, *there.discovery)
    }
    told = documented()
    if sys.platform != "linux":
        told = {name: row for name, row in told.items() if not name.startswith("process_")}
    assert told.keys() == everything.keys()
    for name, (kind, unit, labels) in told.items():
        assert (kind, labels) == (everything[name].kind, everything[name].labels), name
        assert unit in UNITS, name
        if everything[name].kind != "info":
            assert ("bytes" in name) == (unit == "bytes"), name
            assert ("_seconds" in name) == unit.startswith("seconds"), name
            assert name.endswith(("_ratio", "_rate")) == (unit == "0 to 1"), name


def test_each_metric_says_what_it_is(there: Exported) -> None:
    for family in (*there.service, *there.caches, *there.discovery):
        assert len(family.about) > 10, family.name
        assert family.about != family.name


def test_a_registry_alone_exports_what_its_service_does(there: Exported) -> None:
    alone = {family.name for family in there.registry}
    served = {family.name for family in there.service}
    assert alone < served
    assert all(
        name.startswith(("meshaccel_http_", "meshaccel_service_", "process_"))
        for name in served - alone
    )


def test_each_query_of_the_dashboard_finds_something(there: Exported) -> None:
    """Names are exported, and so are the labels that it selects and sums by."""
    labels = {name: family.labels for family in there.service for name in family.series}
    asked = set()
    for panel in PANELS:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            query: str = target["expr"]
            names = set(re.findall(r"\b(?:meshaccel|process)_\w+", query))
            assert names, query
            assert names <= labels.keys(), query
            wanted = set(re.findall(r"(\w+)[=!]~?\"", query))
            for group in re.findall(r"by \(([^)]*)\)", query):
                wanted |= {name.strip() for name in group.split(",")}
            given = {"instance", "le"}.union(*(labels[name] for name in names))
            assert wanted <= given, query
            shown = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            assert shown <= wanted, panel["title"]
            assert query.count("(") == query.count(")"), query
            asked |= names
    assert len(asked) > 30


def test_each_panel_has_a_unit_and_a_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_dashboard_shows_what_the_brief_names() -> None:
    """The six of the brief have a panel each in the first row."""
    first = [panel["title"] for panel in PANELS[:8]]
    for title in (
        "Queries per operation",
        "Metadata memory saved",
        "Cache reads that hit",
        "Calls avoided",
        "Database trouble mended",
        "Wait for a connection, p99",
    ):
        assert title in first
