"""Metrics for Prometheus from plain figures; needs the package ``prometheus_client``."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from meshaccel.timings import BOUNDS_S, Histogram

Samples = Iterable[tuple[Iterable[str], float | None]]
"""Values by the values of their labels. What is None is left out: there is nothing to tell yet."""

_BOUNDS = [*(str(bound) for bound in BOUNDS_S), "+Inf"]


def gauge(name: str, about: str, labels: Iterable[str], samples: Samples) -> Metric:
    """Return what goes up and down."""
    return _filled(GaugeMetricFamily(name, about, labels=list(labels)), samples)


def counter(name: str, about: str, labels: Iterable[str], samples: Samples) -> Metric:
    """Return what only grows; ``_total`` is added to the name."""
    return _filled(CounterMetricFamily(name, about, labels=list(labels)), samples)


def histogram(
    name: str, about: str, labels: Iterable[str], samples: Mapping[tuple[str, ...], Histogram]
) -> Metric:
    """Return durations in seconds."""
    family = HistogramMetricFamily(name, about, labels=list(labels))
    for values, times in samples.items():
        buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
        family.add_metric(values, buckets, times.total)
    return family


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(labels), value)
    return family
