"""The figures of a middleware for Prometheus; needs the package ``prometheus_client``."""

from collections.abc import Iterator
from dataclasses import fields

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
        stats = self._middleware.stats()
        docs = _documentation()
        for field in fields(Counters):
            total = CounterMetricFamily(
                f"{self._prefix}_{field.name}",
                docs.get(field.name, field.name),
                labels=["operation"],
            )
            for name, figures in stats.items():
                total.add_metric([name], getattr(figures, field.name))
            yield total
        for gauge_name, doc in _GAUGES.items():
            gauge = GaugeMetricFamily(f"{self._prefix}_{gauge_name}", doc, labels=["operation"])
            for name, figures in stats.items():
                value = getattr(figures, gauge_name)
                if value is not None:
                    gauge.add_metric([name], value)
            yield gauge
        yield self._breakers(stats)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: which operations there are shows as they are called."""
        return iter(())

    def _breakers(self, stats: dict[str, OperationStats]) -> Metric:
        family = GaugeMetricFamily(
            f"{self._prefix}_breaker_state",
            "1 for the state the circuit breaker has",
            labels=["operation", "state"],
        )
        for name, figures in stats.items():
            if figures.breaker is not None:
                for state in _STATES:
                    family.add_metric([name, state], float(figures.breaker == state))
        return family


def _documentation() -> dict[str, str]:
    """Return what the docstring of ``OperationStats`` says of each attribute, if it is there."""
    lines = (OperationStats.__doc__ or "").partition("Attributes:")[2].splitlines()
    pairs = (line.strip().partition(": ") for line in lines)
    return {name: text for name, _, text in pairs if text}
