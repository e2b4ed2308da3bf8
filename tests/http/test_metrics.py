"""``GET /metrics`` is a page that Prometheus reads, however the service is treated."""

import sqlite3
from collections.abc import Iterable

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from tests.connections import on_readers
from tests.http.client import Client
from tests.service import Service

from meshaccel.registry.service import AgentRegistry

TEXT_KIND = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_KIND = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def values(families: Iterable[Metric]) -> dict[str, float]:
    """Return each sample as Prometheus writes it."""
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def scrape(client: Client) -> dict[str, float]:
    return values(read_text(client.http.get("/metrics").text))


def test_text(mesh: Client) -> None:
    response = mesh.http.get("/metrics")
    assert response.headers.get_list("content-type") == [TEXT_KIND]
    assert response.headers["cache-control"] == "no-store"
    shown = values(read_text(response.text))
    assert shown["meshaccel_agents{status=healthy}"] == 2
    assert shown["meshaccel_capabilities{}"] == 2
    assert shown["meshaccel_revision{}"] == mesh.get("/changes")["to"]
    assert shown["meshaccel_operations_total{operation=register}"] == 2
    posts = "{method=POST,route=/heartbeat,status=200}"
    assert shown[f"meshaccel_http_requests_total{posts}"] == 2


def test_openmetrics(mesh: Client) -> None:
    """Its own parser, which is strict, finds the same as in the text."""
    response = mesh.http.get("/metrics", headers={"accept": ACCEPT})
    assert response.headers["content-type"] == OPENMETRICS_KIND
    assert response.text.endswith("# EOF\n")
    shown = values(read_openmetrics(response.text))  # type: ignore[no-untyped-call]
    assert shown["meshaccel_agents{status=healthy}"] == 2
    assert shown.keys() <= scrape(mesh).keys()


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=\u00ff",
        "text/plain;version=x",
        ";;,",
        "*/*",
        "x" * 9000,
    ],
)
def test_odd_wishes(client: Client, accept: str) -> None:
    response = client.http.get("/metrics", headers={b"accept": accept.encode("latin-1")})
    assert response.status_code == 200
    assert "meshaccel_agents" in response.text
    assert response.headers["content-type"] in (TEXT_KIND, OPENMETRICS_KIND)


def test_histograms_add_up(mesh: Client) -> None:
    for _ in range(20):
        mesh.head("p")
    shown = scrape(mesh)
    route = "method=HEAD,route=/heartbeat/{agent_id}"
    name = "meshaccel_http_request_duration_seconds"
    assert shown[f"{name}_count{{{route}}}"] == 20
    assert shown[f"{name}_bucket{{le=+Inf,{route}}}"] == 20
    assert 0 < shown[f"{name}_sum{{{route}}}"] < 20
    buckets = [count for key, count in shown.items() if key.startswith(f"{name}_bucket")]
    assert all(count >= 0 for count in buckets)


def test_whatever_clients_send_there_are_no_more_series(mesh: Client) -> None:
    """The first of each kind may make some; a thousand more make none."""

    def misbehave(number: int) -> None:
        mesh.http.get(f"/agents/agent-{number}")
        mesh.http.get(f"/nowhere-{number}/{'x' * number}")
        mesh.head(f"nobody-{number}")
        mesh.http.get("/agents", params={f"k{number}": "v"})
        mesh.http.request(("PURGE", "LOCK", "PATCH")[number % 3], f"/agents/{number}")
        mesh.http.get("/events", headers={f"x-{number}": "y"})

    for number in range(3):
        misbehave(number)
    before = scrape(mesh).keys()
    for number in range(3, 40):
        misbehave(number)
    mesh.http.get("/metrics")
    after = scrape(mesh).keys()
    grown = {key for key in after - before if "route=/metrics" not in key}
    assert not grown


def test_the_database_is_in_trouble(mesh: Client, server: Service) -> None:
    """A scrape shows the trouble, not an error page."""

    def refuse(conn: sqlite3.Connection) -> None:
        conn.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)

    async def trouble(registry: AgentRegistry) -> None:
        await on_readers(registry._database, refuse)

    assert "meshaccel_revision{}" in scrape(mesh)
    server.call(trouble)
    shown = scrape(mesh)
    assert "meshaccel_revision{}" not in shown
    assert shown["meshaccel_agents{status=healthy}"] == 2
    assert shown["meshaccel_resilience_failed_total{operation=db.read}"] == 1
