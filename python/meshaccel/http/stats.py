"""``GET /stats``: the registry and its service in figures, as JSON."""

import asyncio
import logging
from dataclasses import asdict
from typing import Any

import msgspec
from msgspec import Struct

from meshaccel import __version__
from meshaccel.cache import CacheStats
from meshaccel.clock import Clock, rfc3339
from meshaccel.db.census import Census
from meshaccel.errors import DatabaseError
from meshaccel.http.asgi import Request, Response
from meshaccel.http.metrics import RequestTally, RouteCounts
from meshaccel.registry.readership import FeedStats
from meshaccel.registry.service import AgentRegistry
from meshaccel.registry.stats import Brief, RegistryStats
from meshaccel.timings import Histogram

log = logging.getLogger(__name__)

CENSUS_S = 1.0
"""How long the database may take to be counted: figures of memory are of use without it."""

_HEADERS = ((b"cache-control", b"no-store"),)


class AgentFigures(Struct, frozen=True):
    """How many agents there are, by health."""

    healthy: int
    unhealthy: int
    total: int


class RequestFigures(Struct, frozen=True, kw_only=True):
    """The requests of one route."""

    route: str
    method: str
    count: int
    errors: int
    statuses: dict[int, int]
    p50_ms: float | None
    p99_ms: float | None

    @classmethod
    def of(cls, counts: RouteCounts) -> "RequestFigures":
        """Sum up what was counted."""
        return cls(
            route=counts.route,
            method=counts.method,
            count=counts.count,
            errors=counts.errors,
            statuses=counts.statuses,
            p50_ms=counts.times.quantile_ms(0.50),
            p99_ms=counts.times.quantile_ms(0.99),
        )


class Stats(Struct, frozen=True, kw_only=True):
    """The answer to ``GET /stats``; docs/metrics.md says what each figure is."""

    version: str
    started_at: str
    uptime_s: float
    epoch: str
    revision: int | None
    agents: AgentFigures
    capabilities: int | None
    brief: Brief
    requests: list[RequestFigures]
    operations: dict[str, Any]
    caches: dict[str, Any]
    metadata: dict[str, Any]
    pool: dict[str, Any]
    recovery: dict[str, Any]
    feed: dict[str, Any]


class StatsPage:
    """What is under ``/stats``."""

    def __init__(self, registry: AgentRegistry, requests: RequestTally, clock: Clock) -> None:
        self._registry = registry
        self._requests = requests
        self._clock = clock
        self._started = clock.monotonic()
        self._started_at = rfc3339(clock.now_us())

    async def get_stats(self, _request: Request) -> Response:
        """Answer with all figures; those that only the database knows are null while it cannot."""
        stats = await self.stats()
        return Response(200, msgspec.json.encode(stats), headers=_HEADERS)

    async def stats(self) -> Stats:
        """Return all figures."""
        census = await counted(self._registry)
        stats = self._registry.stats()
        return Stats(
            version=__version__,
            started_at=self._started_at,
            uptime_s=round(self._clock.monotonic() - self._started, 3),
            epoch=self._registry.feed.epoch,
            revision=None if census is None else census.revision,
            agents=_agents(stats, census),
            capabilities=None if census is None else census.capabilities,
            brief=stats.brief,
            requests=[RequestFigures.of(counts) for counts in self._requests.counts()],
            operations={kind: msgspec.to_builtins(n) for kind, n in stats.operations.items()},
            caches={kind: _cache(cache) for kind, cache in stats.caches.items()},
            metadata=_metadata(stats),
            pool=_pool(stats),
            recovery={
                name: {**asdict(figures), "recovery_rate": figures.recovery_rate}
                for name, figures in stats.recovery.items()
            },
            feed=_feed(stats.feed, census),
        )


async def counted(registry: AgentRegistry) -> Census | None:
    """Return what the database holds; None if it cannot say so soon."""
    try:
        async with asyncio.timeout(CENSUS_S):
            return await registry.census()
    except (DatabaseError, TimeoutError) as error:
        log.warning("the database is not counted", extra={"error": str(error)})
        return None


def _agents(stats: RegistryStats, census: Census | None) -> AgentFigures:
    if census is None:
        return AgentFigures(stats.healthy, stats.agents - stats.healthy, stats.agents)
    return AgentFigures(census.healthy, census.unhealthy, census.healthy + census.unhealthy)


def _cache(stats: CacheStats) -> dict[str, Any]:
    read = stats.hits or stats.misses
    return {**stats._asdict(), "hit_ratio": stats.hit_ratio if read else None}


def _metadata(stats: RegistryStats) -> dict[str, Any]:
    names = ("values", "references", "nodes", "bytes", "plain_bytes", "hits", "misses")
    return {name: getattr(stats.metadata, name) for name in names}


def _pool(stats: RegistryStats) -> dict[str, Any]:
    figures = {
        name: getattr(stats.database, name)
        for name in stats.database.__slots__
        if not isinstance(getattr(stats.database, name), Histogram)
    }
    return figures | _quantiles("wait", stats.database.wait) | _quantiles("use", stats.database.use)


def _feed(feed: FeedStats, census: Census | None) -> dict[str, Any]:
    return {
        "readers": feed.readers,
        "revision": None if census is None else census.revision,
        "floor": None if census is None else census.floor,
        "calls": feed.calls,
        "polls": feed.polls,
        "documents": feed.documents,
        "bytes": feed.bytes,
        "polled_bytes": feed.polled_bytes,
        "notified": feed.lag.count,
    } | _quantiles("lag", feed.lag)


def _quantiles(name: str, times: Histogram) -> dict[str, float | None]:
    return {f"{name}_ms_p50": times.quantile_ms(0.50), f"{name}_ms_p99": times.quantile_ms(0.99)}
