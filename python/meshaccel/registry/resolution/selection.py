"""Which candidate a dependency gets: the filter and the ranking of one capability."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from meshaccel.models import DEFAULT_TOOL_VERSION, Candidate, Dependency, OfferedTool
from meshaccel.registry.resolution.constraints import parse_constraint
from meshaccel.registry.resolution.schemas import schema_accepted
from meshaccel.registry.resolution.tags import tag_score
from meshaccel.registry.resolution.versions import VersionKey, version_key

Lookup = Mapping[str, Sequence[Candidate]]
"""Candidates by capability name, all of healthy agents.

In registration order: agents by their last full registration, oldest first, the functions of
one agent as it declared them.
"""


def tool_version(tool: OfferedTool) -> str:
    """The version a tool counts as: its own, ``1.0.0`` if it gives none."""
    return tool.version or DEFAULT_TOOL_VERSION


class Requirement:
    """A dependency made ready to be compared with many tools of its capability."""

    __slots__ = ("_constraint", "_dependency", "_tags", "_verdicts")

    def __init__(self, dependency: Dependency) -> None:
        self._dependency = dependency
        self._tags = dependency.tags or ()
        self._constraint = parse_constraint(dependency.version) if dependency.version else None
        self._verdicts: dict[str, bool] = {}  # many candidates, few versions

    def score(self, tool: OfferedTool) -> int | None:
        """Tag score of a tool that has the tags and the version; ``None`` for any other."""
        score = tag_score(self._tags, tool.tags or ()) if self._tags else 0
        if score is None or self._constraint is None:
            return score
        version = tool_version(tool)
        fits = self._verdicts.get(version)
        if fits is None:
            fits = self._verdicts[version] = self._constraint.matches(version)
        return score if fits else None

    def accepts(self, tool: OfferedTool) -> bool:
        """Whether a tool has the tags, the version and the schema."""
        return self.score(tool) is not None and schema_accepted(self._dependency, tool)


def select(
    dependency: Dependency,
    candidates: Iterable[Candidate],
    is_eligible: Callable[[Candidate], bool] | None = None,
) -> Candidate | None:
    """Return the best match among the candidates of the dependency's capability.

    Best is the highest tag score, then the highest version, then the first agent id by bytes,
    then what comes first in ``candidates``. ``is_eligible`` is one more condition, asked only
    of candidates that would win, as the schema is.

    One pass, without sorting: O(candidates) comparisons.
    """
    requirement = Requirement(dependency)
    best: Candidate | None = None
    best_rank: tuple[int, VersionKey] = (0, (False, ""))
    for candidate in candidates:
        score = requirement.score(candidate.tool)
        if score is None:
            continue
        rank = (score, version_key(tool_version(candidate.tool)))
        if best is not None and (
            rank < best_rank or (rank == best_rank and candidate.agent_id >= best.agent_id)
        ):
            continue
        if not schema_accepted(dependency, candidate.tool):
            continue
        if is_eligible is not None and not is_eligible(candidate):
            continue
        best, best_rank = candidate, rank
    return best
