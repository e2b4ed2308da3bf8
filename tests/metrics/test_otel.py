"""OpenTelemetry is told the same figures as Prometheus, and traces go through the service."""

import asyncio
from pathlib import Path

import httpx
import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from tests.http.client import QUIET

from meshaccel import AgentRegistry, Declaration, Tool, otel
from meshaccel.http.app import App
from meshaccel.otel import observe
from meshaccel.registry.prometheus import RegistryCollector

AGENT = Declaration(agent_id="a", tools=(Tool(function_name="f", capability="cap"),))
Attributes = frozenset[tuple[str, object]]


def exported(reader: InMemoryMetricReader) -> dict[tuple[str, Attributes], float]:
    """Return every value that an export would send."""
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[tuple[str, Attributes], float] = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    attributes = frozenset((point.attributes or {}).items())
                    value = getattr(point, "value", None)
                    assert isinstance(value, int | float), metric.name
                    found[metric.name, attributes] = value
    return found


def scraped(collector: RegistryCollector) -> dict[tuple[str, Attributes], float]:
    """Return every value that a scrape would show."""
    prometheus = CollectorRegistry()
    prometheus.register(collector)
    return {
        (sample.name.removesuffix("_total"), frozenset(sample.labels.items())): sample.value
        for family in prometheus.collect()
        for sample in family.samples
    }


def test_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made before anything happened, instruments show all that there is later."""
    monkeypatch.setattr(otel, "FRESH_S", -1.0)  # two exports in a row are no one export
    reader = InMemoryMetricReader()

    async def run() -> None:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), settings=QUIET) as registry:
            collector = RegistryCollector(registry)
            observe(collector, MeterProvider([reader]))
            await asyncio.to_thread(exported, reader)
            await registry.register(AGENT)
            await registry.heartbeat("a")
            collector.census = await registry.census()
            shown = await asyncio.to_thread(exported, reader)
            assert shown == scraped(collector)
            assert shown["meshaccel_capabilities", frozenset()] == 1
            beats = frozenset({("operation", "heartbeat")})
            assert shown["meshaccel_operations", beats] == 1

    asyncio.run(run())


def test_counters_only_grow_and_have_units(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()

    async def run() -> dict[str, tuple[bool, str | None]]:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), settings=QUIET) as registry:
            observe(RegistryCollector(registry), MeterProvider([reader]))
            data = reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: (isinstance(metric.data, Sum) and metric.data.is_monotonic, metric.unit)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    kinds = asyncio.run(run())
    assert kinds["meshaccel_operations"] == (True, "1")
    assert kinds["meshaccel_agents"] == (False, "1")
    assert kinds["meshaccel_metadata_bytes"] == (False, "By")
    assert kinds["meshaccel_pool_wait_seconds_sum"] == (True, "s")
    assert kinds["meshaccel_pool_wait_seconds_bucket"] == (True, "1")


def test_a_trace_goes_on(tmp_path: Path) -> None:
    """The service is plain ASGI: OpenTelemetry's own middleware takes the caller's trace up."""
    spans = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    parent = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}

    async def run() -> int:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), settings=QUIET) as registry:
            app = OpenTelemetryMiddleware(App(registry), tracer_provider=tracing)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return (await client.get("/agents", headers=parent)).status_code

    assert asyncio.run(run()) == 200
    server = [span for span in spans.get_finished_spans() if span.kind.name == "SERVER"]
    assert [f"{span.context.trace_id:032x}" for span in server if span.context] == [trace_id]
