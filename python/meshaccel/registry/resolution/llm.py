"""What language models get: the tools a filter selects, and a provider to run them.

Upstream differs here from ordinary dependencies, and agents see the difference: groups of
alternative tags are ignored, required dependencies do not matter, a tool must publish an input
schema, and what the request does not rank is taken in registration order.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct, field

from meshaccel.models import Candidate, Dependency, JsonObject, LlmProviderRequest
from meshaccel.registry.resolution.selection import Lookup, Requirement, select, tool_version
from meshaccel.registry.resolution.versions import parse_version

EVERYTHING = "*"
"""As a filter entry: every tool. As a filter mode: every tool of the other agents."""

UNKNOWN_VENDOR = "unknown"


class LlmTool(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of ``llm_tools`` in the answer to an agent."""

    name: str
    capability: str
    description: str
    endpoint: str
    input_schema: JsonObject = field(name="inputSchema")
    tags: tuple[str, ...]
    version: str


class LlmProvider(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One entry of ``llm_providers`` in the answer to an agent."""

    name: str
    endpoint: str
    agent_id: str
    capability: str
    status: Literal["available"]
    vendor: str
    version: str
    tags: tuple[str, ...] = ()
    kwargs: JsonObject | None = None


class LlmFilter(Struct, frozen=True):
    """A parsed ``llm_filter``: the tools of every entry; no capability means any."""

    entries: tuple[Dependency, ...]
    mode: str

    @property
    def capabilities(self) -> frozenset[str] | None:
        """The capabilities to choose from; ``None`` if it takes every tool there is."""
        names = [entry.capability for entry in self.entries]
        if self.mode == EVERYTHING or None in names:
            return None
        return frozenset(name for name in names if name is not None)


def parse_llm_filter(raw: JsonObject) -> LlmFilter | None:
    """Read an ``llm_filter`` as agents send it; ``None`` if it says nothing upstream obeys.

    ``filter`` must be a list of capability names, ``"*"`` or objects with ``capability``,
    ``tags`` and ``version``; an entry of any other type voids the filter. In an object, a
    member of the wrong type is as good as absent. ``filter_mode`` is ``all`` unless given.
    """
    listed = raw.get("filter")
    if not isinstance(listed, list):
        return None
    mode = raw.get("filter_mode")
    if mode == EVERYTHING:
        return LlmFilter((), EVERYTHING)  # whatever the entries are
    entries = [_parse_entry(entry) for entry in listed]
    if None in entries:
        return None
    known = tuple(entry for entry in entries if entry is not None)
    return LlmFilter(known, mode if isinstance(mode, str) else "all")


def llm_provider_dependency(request: LlmProviderRequest) -> Dependency | None:
    """Return what an ``llm_provider`` depends on; ``None`` if it names no capability."""
    if not request.capability:
        return None
    tags = None if request.tags is None else tuple(tag for tag in request.tags if tag is not None)
    return Dependency(capability=request.capability, tags=tags, version=request.version)


def select_llm_tools(
    wanted: LlmFilter, agent_id: str, lookup: Lookup, everything: Sequence[Candidate]
) -> tuple[LlmTool, ...]:
    """Return the tools a filter selects for the functions of one agent.

    The entries' tools one entry after the other, within an entry by tag score, then in
    registration order. Of tools with one function name the first is kept, since models need
    unique names; with ``best_match`` then of every capability the one with the highest
    version, or the most tags. Mode ``*`` leaves out the tools of the asking agent.

    ``everything`` are all candidates; it is used only if ``wanted.capabilities`` is ``None``.
    O(n log n) in the candidates of the entries.
    """
    matching: Iterable[Candidate]
    if wanted.mode == EVERYTHING:
        matching = (c for c in _usable(everything) if c.agent_id != agent_id)
    else:
        matching = (
            candidate
            for entry in wanted.entries
            for candidate in _matching(
                entry, everything if entry.capability is None else lookup.get(entry.capability, ())
            )
        )
    unique: dict[str | None, Candidate] = {}
    for candidate in matching:
        unique.setdefault(candidate.tool.function_name, candidate)
    chosen = unique.values()
    return tuple(map(_llm_tool, _best_match(chosen) if wanted.mode == "best_match" else chosen))


def select_llm_provider(wanted: Dependency, candidates: Iterable[Candidate]) -> LlmProvider | None:
    """Return the provider for ``wanted`` among the candidates of its capability.

    With tags the ranking is that of ``select``. Without, it is the first to fit: upstream
    ranks by version only what it sorts by tags. O(candidates).
    """
    usable = _usable(candidates)
    chosen = select(wanted, usable) if wanted.tags else next(iter(_matching(wanted, usable)), None)
    return None if chosen is None else _llm_provider(chosen)


def _parse_entry(raw: Any) -> Dependency | None:
    if isinstance(raw, str):
        return Dependency(capability=None if raw == EVERYTHING else raw)
    return _parse_object(raw) if isinstance(raw, dict) else None


def _parse_object(raw: JsonObject) -> Dependency:
    capability, tags, version = raw.get("capability"), raw.get("tags"), raw.get("version")
    return Dependency(
        capability=capability if isinstance(capability, str) else None,
        tags=tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else None,
        version=version if isinstance(version, str) else None,
    )


def _usable(candidates: Iterable[Candidate]) -> Iterable[Candidate]:
    return (candidate for candidate in candidates if candidate.tool.input_schema is not None)


def _matching(wanted: Dependency, candidates: Iterable[Candidate]) -> list[Candidate]:
    requirement = Requirement(wanted)
    scored = [
        (score, candidate)
        for candidate in _usable(candidates)
        if (score := requirement.score(candidate.tool)) is not None
    ]
    if wanted.tags:
        scored.sort(key=lambda pair: -pair[0])
    return [candidate for _, candidate in scored]


def _best_match(candidates: Iterable[Candidate]) -> Iterable[Candidate]:
    best: dict[str | None, Candidate] = {}
    for candidate in candidates:
        capability = candidate.tool.capability
        if capability not in best or _is_better(candidate, best[capability]):
            best[capability] = candidate
    return best.values()


def _is_better(candidate: Candidate, best: Candidate) -> bool:
    version = parse_version(tool_version(candidate.tool))
    best_version = parse_version(tool_version(best.tool))
    if version is not None and best_version is not None and version != best_version:
        return version > best_version
    return len(candidate.tool.tags or ()) > len(best.tool.tags or ())


def _llm_tool(candidate: Candidate) -> LlmTool:
    tool = candidate.tool
    return LlmTool(
        name=tool.function_name or "",
        capability=tool.capability or "",
        description=tool.description or "",
        endpoint=candidate.endpoint,
        input_schema=tool.input_schema or {},
        tags=tool.tags or (),
        version=tool_version(tool),
    )


def _llm_provider(candidate: Candidate) -> LlmProvider:
    tool = candidate.tool
    vendor = (tool.kwargs or {}).get("vendor")
    return LlmProvider(
        name=tool.function_name or "",
        endpoint=candidate.endpoint,
        agent_id=candidate.agent_id,
        capability=tool.capability or "",
        status="available",
        vendor=vendor if isinstance(vendor, str) else UNKNOWN_VENDOR,
        version=tool_version(tool),
        tags=tool.tags or (),
        kwargs=tool.kwargs or None,
    )
