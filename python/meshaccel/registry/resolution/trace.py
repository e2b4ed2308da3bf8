"""Why a dependency has the provider it has: what every stage kept and what it dropped.

Decides nothing: it goes the way of ``select`` once more, slowly, and takes notes for the audit
trail. These have upstream's form, for the tools that read it; ``omitted`` is ours.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from msgspec import Struct

from meshaccel.models import Candidate, Dependency, JsonObject, OfferedTool
from meshaccel.registry.resolution.availability import Availability
from meshaccel.registry.resolution.constraints import parse_constraint
from meshaccel.registry.resolution.faults import (
    fault,
    schema_fault,
    short,
    tag_fault,
    version_fault,
)
from meshaccel.registry.resolution.schemas import schema_accepted
from meshaccel.registry.resolution.selection import tool_version
from meshaccel.registry.resolution.tags import tag_score
from meshaccel.registry.resolution.versions import VersionKey, version_key

MAX_IDS: Final = 50
"""Candidates listed as kept, and as evicted, by one stage; the others are only counted."""


class Trace(Struct, frozen=True):
    """How one dependency was decided."""

    stages: tuple[JsonObject, ...]
    """Up to the stage that kept nothing, or to the choice."""
    evicted: bool
    """Whether any stage dropped one."""
    chosen: Candidate | None


class _Condition(NamedTuple):
    """A stage that asks something of a tool, or, without ``fits``, does not."""

    stage: str
    fits: Callable[[OfferedTool], bool] | None
    why: Callable[[OfferedTool], JsonObject]
    """Says why a tool does not fit; asked only of the few that are listed."""


class _Scores:
    """The verdicts on tags and versions: many candidates, few different ones."""

    __slots__ = ("_by_tags", "_by_version", "_constraint", "_terms")

    def __init__(self, dependency: Dependency) -> None:
        self._terms = dependency.tags or ()
        self._constraint = parse_constraint(dependency.version) if dependency.version else None
        self._by_tags: dict[tuple[str, ...], int | None] = {}
        self._by_version: dict[str, bool] = {}

    def of_tags(self, tool: OfferedTool) -> int | None:
        """Return the score of a tool's tags."""
        tags = tool.tags or ()
        if tags not in self._by_tags:
            self._by_tags[tags] = tag_score(self._terms, tags)
        return self._by_tags[tags]

    def has_tags(self, tool: OfferedTool) -> bool:
        """Whether a tool has the tags."""
        return self.of_tags(tool) is not None

    def has_version(self, tool: OfferedTool) -> bool:
        """Whether a tool's version is within the constraint."""
        version = tool_version(tool)
        if version not in self._by_version:
            constraint = self._constraint
            self._by_version[version] = constraint is None or constraint.matches(version)
        return self._by_version[version]

    def rank(self, candidate: Candidate) -> tuple[int, VersionKey]:
        """Return what candidates are compared by before their agents' ids."""
        return self.of_tags(candidate.tool) or 0, version_key(tool_version(candidate.tool))


def explain(
    dependency: Dependency,
    healthy: Sequence[Candidate],
    unhealthy: Sequence[Candidate],
    availability: Availability,
) -> Trace:
    """Trace a dependency over the candidates of its capability.

    Chooses what ``select`` chooses of those that are available. O(candidates log candidates);
    unlike ``select``, it compares the schemas of all that come to that.
    """
    scores = _Scores(dependency)
    kept, stage = _health(healthy, unhealthy, availability)
    stages = [stage]
    conditions = _conditions(dependency, scores)
    while kept and (condition := next(conditions, None)):
        kept, stage = _apply(condition, kept, stage)
        stages.append(stage)
    chosen = None
    if kept:
        chosen, stage = _tiebreaker(scores, kept, stage)
        stages.append(stage)
    evicted = any("evicted" in stage for stage in stages)
    return Trace(tuple(stages), evicted, chosen)


def _health(
    healthy: Sequence[Candidate], unhealthy: Sequence[Candidate], availability: Availability
) -> tuple[list[Candidate], JsonObject]:
    kept, stuck = _partition(healthy, availability.is_available)
    if not unhealthy and not stuck:
        return kept, _entry("health", kept)
    down = fault("Unhealthy", {"status": "unhealthy"})
    evicted = chain(
        ((candidate, down) for candidate in unhealthy),
        ((candidate, _stuck_fault(candidate.tool, availability)) for candidate in stuck),
    )
    return kept, _entry("health", kept, evicted, len(unhealthy) + len(stuck))


def _stuck_fault(tool: OfferedTool, availability: Availability) -> JsonObject:
    return fault("Unavailable", {"reason": short(availability.unavailable_reason(tool) or "")})


def _conditions(dependency: Dependency, scores: _Scores) -> Iterator[_Condition]:
    terms = dependency.tags or ()
    # Candidates are found by name: nothing is left for this stage, which is upstream's.
    yield _Condition("capability_match", None, lambda _: {})
    yield _Condition(
        "tags",
        scores.has_tags if terms else None,
        lambda tool: tag_fault(terms, tool.tags or ()),
    )
    yield _Condition(
        "version",
        scores.has_version if dependency.version else None,
        lambda tool: version_fault(dependency, tool),
    )
    yield _Condition(
        "schema",
        (lambda tool: schema_accepted(dependency, tool)) if dependency.match_mode else None,
        lambda tool: schema_fault(dependency, tool),
    )


def _apply(
    condition: _Condition, candidates: list[Candidate], before: JsonObject
) -> tuple[list[Candidate], JsonObject]:
    if condition.fits is None:
        return candidates, _same(condition.stage, before)
    kept, dropped = _partition(candidates, condition.fits)
    if not dropped:
        return candidates, _same(condition.stage, before)
    evicted = ((candidate, condition.why(candidate.tool)) for candidate in dropped)
    return kept, _entry(condition.stage, kept, evicted, len(dropped))


def _tiebreaker(
    scores: _Scores, candidates: list[Candidate], before: JsonObject
) -> tuple[Candidate, JsonObject]:
    if len(candidates) == 1:
        return candidates[0], _choice(_same("tiebreaker", before), candidates[0])
    # Of equals ``nlargest`` keeps the order, which is that of the agents' ids.
    by_id = sorted(candidates, key=lambda candidate: candidate.agent_id)
    best = heapq.nlargest(MAX_IDS, by_id, key=scores.rank)
    entry = _entry("tiebreaker", [*best, *by_id[len(best) :]])
    return best[0], _choice(entry, best[0])


def _choice(entry: JsonObject, chosen: Candidate) -> JsonObject:
    return {**entry, "chosen": _id(chosen), "reason": "HighestScoreThenVersion"}


def _partition(
    candidates: Iterable[Candidate], fits: Callable[[OfferedTool], bool]
) -> tuple[list[Candidate], list[Candidate]]:
    kept: list[Candidate] = []
    dropped: list[Candidate] = []
    for candidate in candidates:
        (kept if fits(candidate.tool) else dropped).append(candidate)
    return kept, dropped


def _entry(
    stage: str,
    kept: Sequence[Candidate],
    evicted: Iterable[tuple[Candidate, JsonObject]] = (),
    dropped: int = 0,
) -> JsonObject:
    """Write a stage; of ``evicted``, which has ``dropped`` items, only what is shown is read."""
    entry: dict[str, Any] = {"stage": stage, "kept": [_id(item) for item in kept[:MAX_IDS]]}
    if dropped:
        shown = islice(evicted, MAX_IDS)
        entry["evicted"] = [{"id": _id(candidate), **why} for candidate, why in shown]
    if max(len(kept), dropped) > MAX_IDS:
        counts = {"kept": len(kept) - MAX_IDS, "evicted": dropped - MAX_IDS}
        entry["omitted"] = {name: count for name, count in counts.items() if count > 0}
    return entry


def _same(stage: str, before: JsonObject) -> JsonObject:
    """Write a stage that kept what the one before it kept."""
    entry = {"stage": stage, "kept": before["kept"]}
    omitted = before.get("omitted", {}).get("kept")
    return {**entry, "omitted": {"kept": omitted}} if omitted else entry


def _id(candidate: Candidate) -> str:
    return short(f"{candidate.agent_id}:{candidate.tool.function_name or ''}")
