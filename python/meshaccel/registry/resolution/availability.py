"""Whether a tool can work: all its required dependencies, and theirs, have a provider.

A tool is available if each of its required dependencies is met; a dependency is met if an
available tool matches it. Whatever does not follow from that, a cycle above all, is not
available. The verdict depends on the candidates only, not on the order of the questions.
"""

from collections.abc import Hashable, Iterable, Iterator

from meshaccel.models import Candidate, Dependency, OfferedTool, ToolSummary
from meshaccel.registry.resolution.selection import Lookup, Requirement

AGENT_UNHEALTHY = "agent unhealthy"
"""The reason shown for every tool of an agent that is not healthy, whatever it requires."""


def required_dependencies(tool: ToolSummary) -> Iterator[tuple[str, Dependency]]:
    """Yield the required dependencies of a tool with their capability, in declared order."""
    for dependency in tool.dependencies or ():
        if dependency.required and dependency.capability:
            yield dependency.capability, dependency


def missing_capabilities(tools: Iterable[ToolSummary], lookup: Lookup) -> frozenset[str]:
    """Return the capabilities that ``tools`` require and ``lookup`` lacks.

    Load them, then ask again with the tools just loaded, until none is missing: every tool
    is looked at once, and a capability nobody provides is present as an empty sequence.
    """
    return frozenset(
        name for tool in tools for name, _ in required_dependencies(tool) if name not in lookup
    )


class _Goal:
    """A required dependency; met once one matching provider is available."""

    __slots__ = ("capability", "dependency", "dependents", "met")

    def __init__(self, capability: str, dependency: Dependency) -> None:
        self.capability = capability
        self.dependency = dependency
        self.met = False
        self.dependents: list[_Provider] = []


class _Provider:
    """A tool that has required dependencies of its own; available once none is unmet."""

    __slots__ = ("goals", "unmet")

    def __init__(self) -> None:
        self.unmet = 0
        self.goals: list[_Goal] = []


class Availability:
    """Verdicts over one snapshot of candidates, each worked out once and kept.

    ``lookup`` holds every capability that ``missing_capabilities`` names; ``unhealthy`` what
    agents that are not healthy offer, used to explain only. Not for use by several threads at
    once.

    Deciding costs O(candidates of the capabilities required, directly or not) once in all;
    it neither recurses nor cares how long a chain or a cycle is.
    """

    def __init__(self, lookup: Lookup, unhealthy: Lookup | None = None) -> None:
        self._lookup = lookup
        self._unhealthy = unhealthy if unhealthy is not None else {}
        self._goals: dict[Hashable, _Goal] = {}

    def is_available(self, tool: ToolSummary) -> bool:
        """Whether all required dependencies of a tool are met."""
        # Nearly all tools require nothing: do not start a generator for them.
        return not tool.dependencies or all(
            self._is_met(name, dependency) for name, dependency in required_dependencies(tool)
        )

    def unavailable_reason(self, tool: ToolSummary) -> str | None:
        """Explain the first required dependency that is not met; ``None`` if all are."""
        for name, dependency in required_dependencies(tool):
            if not self._is_met(name, dependency):
                return f"required dep '{name}' {self._explanation(name, dependency)}"
        return None

    def _is_met(self, capability: str, dependency: Dependency) -> bool:
        goal = self._goals.get(_goal_key(capability, dependency))
        return (goal or self._decide(capability, dependency)).met

    def _decide(self, capability: str, dependency: Dependency) -> _Goal:
        """Decide a goal and every goal below it that is not decided yet."""
        new: list[_Goal] = []
        asked = self._goal(capability, dependency, new)
        providers: dict[int, _Provider] = {}
        met: list[_Goal] = []
        for goal in new:  # grows while we go
            if self._expand(goal, providers, new):
                goal.met = True
                met.append(goal)
        for goal in met:  # grows likewise
            for provider in goal.dependents:
                provider.unmet -= 1
                for above in provider.goals if provider.unmet == 0 else ():
                    if not above.met:
                        above.met = True
                        met.append(above)
        for goal in new:
            goal.dependents.clear()
        return asked

    def _expand(self, goal: _Goal, providers: dict[int, _Provider], new: list[_Goal]) -> bool:
        """Link a goal to its matching providers; True if one of them is available already."""
        requirement = Requirement(goal.dependency)
        waiting: list[OfferedTool] = []
        for candidate in self._lookup.get(goal.capability, ()):
            tool = candidate.tool
            if requirement.accepts(tool):
                if not any(True for _ in required_dependencies(tool)):
                    return True
                waiting.append(tool)
        for tool in waiting:
            provider = providers.get(id(tool))
            if provider is None:
                provider = providers[id(tool)] = _Provider()
                for name, dependency in required_dependencies(tool):
                    below = self._goal(name, dependency, new)
                    if not below.met:
                        below.dependents.append(provider)
                        provider.unmet += 1
            if provider.unmet == 0:
                return True
            provider.goals.append(goal)
        return False

    def _goal(self, capability: str, dependency: Dependency, new: list[_Goal]) -> _Goal:
        key = _goal_key(capability, dependency)
        goal = self._goals.get(key)
        if goal is None:
            goal = self._goals[key] = _Goal(capability, dependency)
            new.append(goal)
        return goal

    def _explanation(self, capability: str, dependency: Dependency) -> str:
        requirement = Requirement(dependency)
        # As upstream, a schema that does not fit is not told from a provider's own trouble.
        for candidates, state in (
            (self._unhealthy.get(capability, ()), "unhealthy"),
            (self._lookup.get(capability, ()), "unavailable"),
        ):
            agent_id = _first_agent(requirement, candidates)
            if agent_id is not None:
                return f"unavailable (provider {agent_id} {state})"
        constraints = _constraints(dependency)
        return f"unresolved (no provider matches {constraints})" if constraints else "unresolved"


def _goal_key(capability: str, dependency: Dependency) -> Hashable:
    # Replicas declare the same dependencies: they share a goal. With a schema, which is not
    # hashable, it is the goal's reference to the dependency that keeps the id from reuse.
    if dependency.match_mode:
        return id(dependency)
    return capability, dependency.tags, dependency.version


def _first_agent(requirement: Requirement, candidates: Iterable[Candidate]) -> str | None:
    matching = (c.agent_id for c in candidates if requirement.score(c.tool) is not None)
    return next(matching, None)


def _constraints(dependency: Dependency) -> str:
    parts = []
    plain = [term for term in dependency.tags or () if isinstance(term, str)]
    if plain:
        parts.append(f"tags=[{' '.join(plain)}]")
    if dependency.version:
        parts.append(f"version {dependency.version}")
    if dependency.match_mode:
        parts.append(f"schema={dependency.match_mode}")
    return ", ".join(parts)
