"""The figures of a middleware for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from meshaccel.families import counter, gauge
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.stats import Counters, OperationStats

_GAUGES = {
    "in_use": "Calls that run now by the bulkhead",
    "budget": "Retries that the budget would grant now",
    "recovery_rate": "The share of calls saved among those that another attempt could save",
}
_STATES = ("closed", "half_open", "open")


class MiddlewareCollector(Collector):
    """Reads ``middleware.stats()`` whenever it is scraped; between scrapes it costs nothing.

    ::

        prometheus_client.REGISTRY.register(MiddlewareCollector(errors))

    Each metric has the label ``operation``; ``breaker_state`` is 1 for the state a breaker has.

    Args:
        middleware: whose figures.
        prefix: what the names of the metrics begin with.
    """

    def __init__(
        self, middleware: ErrorHandlingMiddleware, prefix: str = "meshaccel_resilience"
    ) -> None:
        self._middleware = middleware
        self._prefix = prefix

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        return operation_metrics(self._middleware.stats(), self._prefix)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: which operations there are shows as they are called."""
        return iter(())


def operation_metrics(
    stats: Mapping[str, OperationStats], prefix: str = "meshaccel_resilience"
) -> Iterator[Metric]:
    """Yield the metrics of operations, as ``MiddlewareCollector`` does."""
    docs = _documentation()
    names = {field.name: docs.get(field.name, field.name) for field in fields(Counters)}
    for made, documented in ((counter, names), (gauge, _GAUGES)):
        for name, about in documented.items():
            samples = [([kind], getattr(figures, name)) for kind, figures in stats.items()]
            yield made(f"{prefix}_{name}", about, ["operation"], samples)
    yield gauge(
        f"{prefix}_breaker_state",
        "1 for the state the circuit breaker has",
        ["operation", "state"],
        [
            ([kind, state], float(figures.breaker == state))
            for kind, figures in stats.items()
            if figures.breaker is not None
            for state in _STATES
        ],
    )


def _documentation() -> dict[str, str]:
    """Return what the docstring of ``OperationStats`` says of each attribute, if it is there."""
    lines = (OperationStats.__doc__ or "").partition("Attributes:")[2].splitlines()
    pairs = (line.strip().partition(": ") for line in lines)
    return {name: text for name, _, text in pairs if text}
