"""How many requests there were, how they were answered, and how fast.

Whatever clients send, there are as many figures as there are routes: paths are counted by their
template, and what fits none is one route, ``other``.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from meshaccel.timings import Histogram, Timings

RouteKey = tuple[str, str, int]
"""Method, first segment of the path, and number of segments."""

OTHER = "other"
"""Method and path of whatever is no route."""

CLIENT_LEFT = 499
"""Counted as the status where the client went away before there was an answer; as in nginx."""

SERVER_ERROR = 500

_TEMPLATES = {
    ("heartbeat", 2): "/heartbeat/{agent_id}",
    ("heartbeat", 3): "/heartbeat/{agent_id}/changes",
    ("agents", 2): "/agents/{agent_id}",
    ("changes", 2): "/changes/digest",
    ("schemas", 2): "/schemas/{hash}",
    ("ui", 2): "/ui/{file}",
}


class RouteCounts(Struct, frozen=True, kw_only=True):
    """The requests of one route since the start."""

    route: str
    method: str
    statuses: dict[int, int]
    """Answers by status code."""
    times: Histogram
    """From the head of a request until its answer could be sent: its body is read in it, and a
    wait that it asked for is."""

    @property
    def count(self) -> int:
        """How many requests there were."""
        return sum(self.statuses.values())

    @property
    def errors(self) -> int:
        """How many of them were answered with 5xx."""
        return sum(n for status, n in self.statuses.items() if status >= SERVER_ERROR)


class _Route:
    __slots__ = ("method", "route", "statuses", "times")

    def __init__(self, method: str, route: str) -> None:
        self.method = method
        self.route = route
        self.statuses: dict[int, int] = {}
        self.times = Timings()


class RequestTally:
    """Counts the requests of an application; ``python -m benches.metrics`` says what that costs."""

    def __init__(self) -> None:
        self._other = _Route(OTHER, OTHER)
        self._routes: dict[RouteKey, _Route] = {}

    def expect(self, routes: Iterable[RouteKey]) -> None:
        """Count the requests of these routes, each by itself."""
        for method, first, segments in routes:
            route = _Route(method, template(first, segments))
            self._routes[method, first, segments] = route

    def count(self, method: str, segments: Sequence[str], status: int, seconds: float) -> None:
        """Count a request, answered after so many seconds."""
        route = self._routes.get((method, segments[0], len(segments)), self._other)
        try:
            route.statuses[status] += 1
        except KeyError:
            route.statuses[status] = 1
        route.times.observe(seconds)

    def counts(self) -> list[RouteCounts]:
        """Return the routes that were asked for."""
        return [
            RouteCounts(
                route=route.route,
                method=route.method,
                statuses=dict(route.statuses),
                times=route.times.snapshot(),
            )
            for route in (*self._routes.values(), self._other)
            if route.statuses
        ]


def template(first: str, segments: int) -> str:
    """Return what stands for all paths of a route."""
    return _TEMPLATES.get((first, segments)) or f"/{first}" + "/{}" * (segments - 1)
