"""Cycles of required dependencies, which no registration may close.

Looked for among capability names, as upstream does: tags and versions that would keep the
cycle from forming are not considered, because a refusal at registration is easier to see
than a capability that never becomes available.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from meshaccel.models import ToolSummary
from meshaccel.registry.resolution.availability import required_dependencies

RequiredEdges = Mapping[str, Collection[str]]
"""Capability names to the capability names their tools require."""


def required_edges(tools: Iterable[ToolSummary]) -> dict[str, set[str]]:
    """Collect the required edges that tools declare. O(dependencies)."""
    edges: dict[str, set[str]] = {}
    for tool in tools:
        for name, _ in required_dependencies(tool):
            if tool.capability:
                edges.setdefault(tool.capability, set()).add(name)
    return edges


def find_required_cycle(declared: RequiredEdges, stored: RequiredEdges) -> tuple[str, ...] | None:
    """Return a cycle of the two graphs taken together, as in ``("a", "b", "a")``, or ``None``.

    ``stored`` are the edges of all other agents, healthy or not; without declared edges none
    is looked for. Where the cycle starts is upstream's choice, depth first in byte order, and
    follows from the edges alone. O(edges x log edges), without recursion.
    """
    if not declared:
        return None
    finished: set[str] = set()
    for root in sorted({*declared, *stored}):
        path: dict[str, Iterator[str]] = {}  # in the order of the walk
        name: str | None = root
        while name is not None:
            if name in path:
                names = list(path)
                return (*names[names.index(name) :], name)
            if name not in finished:
                path[name] = iter(sorted({*declared.get(name, ()), *stored.get(name, ())}))
            name = _step(path, finished)
    return None


def cycle_message(cycle: Iterable[str]) -> str:
    """Word the refusal of a registration that closes a cycle, as upstream does."""
    return f"required dependency cycle: {' → '.join(cycle)}"


def _step(path: dict[str, Iterator[str]], finished: set[str]) -> str | None:
    """Take the next edge at the end of the path, backing out of names that have none left."""
    while path:
        name, edges = next(reversed(path.items()))
        following = next(edges, None)
        if following is not None:
            return following
        del path[name]
        finished.add(name)
    return None
