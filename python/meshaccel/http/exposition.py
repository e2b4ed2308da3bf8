"""``GET /metrics``: the registry and its service in figures, for Prometheus."""

from collections.abc import Iterator

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from meshaccel import __version__
from meshaccel.families import counter, histogram
from meshaccel.http.asgi import Request, Send
from meshaccel.http.metrics import RequestTally
from meshaccel.http.stats import counted
from meshaccel.registry.prometheus import RegistryCollector
from meshaccel.registry.service import AgentRegistry

OPENMETRICS = "application/openmetrics-text"

_ROUTE = ["method", "route"]


class RequestCollector(Collector):
    """Reads the counts of requests whenever it is scraped."""

    def __init__(self, requests: RequestTally) -> None:
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, with durations in seconds."""
        routes = self._requests.counts()
        yield InfoMetricFamily(
            "meshaccel_service", "The version that runs", value={"version": __version__}
        )
        yield counter(
            "meshaccel_http_requests",
            "Requests that were answered, by route; 499 are clients that left before",
            [*_ROUTE, "status"],
            [
                ((route.method, route.route, str(status)), count)
                for route in routes
                for status, count in route.statuses.items()
            ],
        )
        yield histogram(
            "meshaccel_http_request_duration_seconds",
            "From the head of a request until its answer can be sent, waits it asked for included",
            _ROUTE,
            {(route.method, route.route): route.times for route in routes},
        )


class MetricsPage:
    """What is under ``/metrics``."""

    def __init__(self, registry: AgentRegistry, requests: RequestTally) -> None:
        self._registry = registry
        self._of_registry = RegistryCollector(registry)
        # Not the process-wide registry: what else this process counts is not the service's.
        self.collector = CollectorRegistry(auto_describe=False)
        """All that the page shows."""
        self.collector.register(self._of_registry)
        self.collector.register(RequestCollector(requests))
        ProcessCollector(registry=self.collector)

    async def get_metrics(self, request: Request) -> "Exposition":
        """Answer as OpenMetrics if the client takes it, else as Prometheus' text."""
        self._of_registry.census = await counted(self._registry)
        accepted = OPENMETRICS if OPENMETRICS in (request.header(b"accept") or "") else ""
        # What the header says beside that is left alone: it would come back in ours.
        encode, kind = choose_encoder(accepted)
        return Exposition(encode(self.collector), kind.encode())


class Exposition(Struct, frozen=True):
    """A page of metrics."""

    body: bytes
    kind: bytes
    """Its content type."""
    status: int = 200

    async def send(self, send: Send) -> None:
        """Answer the request."""
        headers = [
            (b"content-type", self.kind),
            (b"content-length", b"%d" % len(self.body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
