"""What Prometheus can scrape, for OpenTelemetry; needs the extra ``otel``."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

FRESH_S = 0.5
"""A reader asks for one instrument after the other: in so short a time all are read at once."""

_HISTOGRAM = ("bucket", "count", "sum")


def observe(collector: Collector, provider: MeterProvider) -> None:
    """Let ``provider`` read a collector's figures whenever it exports.

    ::

        observe(RegistryCollector(registry), provider)

    Names and labels are those of Prometheus, without ``_total``. OpenTelemetry has no histograms
    that are read: one becomes the three counters that Prometheus makes of it, ``_bucket`` (by
    ``le``), ``_count`` and ``_sum``. Between two exports nothing is done; the export itself runs in
    the provider's thread.

    Args:
        collector: ``RegistryCollector``, ``CacheCollector``, ``DiscoveryCollector``,
            ``PoolCollector``, ``MiddlewareCollector``, or any other that may be read by a thread.
            All that it yields, it yields from the start, with or without samples.
        provider: where instruments are made; each collector is given to it once.
    """
    meter = provider.get_meter("meshaccel")
    readings = _Readings(collector)
    for family in collector.collect():
        for name, is_counter in _instruments(family):
            make = meter.create_observable_counter if is_counter else meter.create_observable_gauge
            make(
                name,
                callbacks=[readings.callback(name)],
                unit=_unit(name),
                description=family.documentation,
            )


class _Readings:
    """What a collector said last, by instrument."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: Mapping[str, list[Observation]] = {}

    def callback(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return what an instrument asks."""
        return lambda _: self._fresh().get(name, [])

    def _fresh(self) -> Mapping[str, list[Observation]]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_S:
                self._found = self._read()
                self._read_at = time.monotonic()
            return self._found

    def _read(self) -> Mapping[str, list[Observation]]:
        found: defaultdict[str, list[Observation]] = defaultdict(list)
        for family in self._collector.collect():
            for sample in family.samples:
                name = sample.name.removesuffix("_total")
                found[name].append(Observation(sample.value, dict(sample.labels)))
        return found


def _instruments(family: Metric) -> list[tuple[str, bool]]:
    """Return the name of each instrument, and whether it only grows."""
    if family.type == "histogram":
        return [(f"{family.name}_{part}", True) for part in _HISTOGRAM]
    if family.type == "info":
        return [(f"{family.name}_info", False)]
    return [(family.name, family.type == "counter")]


def _unit(name: str) -> str:
    if name.endswith(("_bucket", "_count")):
        return "1"
    if "_bytes" in name:
        return "By"
    return "s" if "_seconds" in name else "1"
