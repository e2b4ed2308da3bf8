"""The audit trail of wirings: an event for every dependency that is wired in another way."""

from collections import defaultdict
from collections.abc import Iterator

from meshaccel.db.events import Event
from meshaccel.models import AgentRecord, Dependency
from meshaccel.registry.resolution import ResolvedDependency, Wiring


def wiring_events(
    record: AgentRecord, before: Wiring | None, after: Wiring, *, now_us: int
) -> Iterator[Event]:
    """Yield what changed between two wirings told to an agent.

    Without ``before`` every dependency is news.
    """
    declared: defaultdict[str, list[Dependency]] = defaultdict(list)
    for tool in record.tools:
        declared[tool.function_name or ""].extend(tool.dependencies or ())
    for name, dependencies in declared.items():
        told = before.dependencies_resolved.get(name, ()) if before else ()
        resolved = after.dependencies_resolved.get(name, ())
        for index, (dependency, entry) in enumerate(zip(dependencies, resolved, strict=True)):
            if index >= len(told) or told[index] != entry:
                yield _event(record, name, index, dependency, entry, now_us=now_us)


def _event(
    record: AgentRecord,
    function_name: str,
    index: int,
    dependency: Dependency,
    resolved: ResolvedDependency,
    *,
    now_us: int,
) -> Event:
    spec: dict[str, object] = {"capability": dependency.capability or ""}
    if dependency.tags:
        spec["tags"] = dependency.tags
    if dependency.version:
        spec["version_constraint"] = dependency.version
    spec["schema_mode"] = dependency.match_mode or "none"
    data: dict[str, object] = {"consumer": record.id, "dep_index": index, "spec": spec}
    if resolved.status == "available":
        data["chosen"] = {
            "agent_id": resolved.agent_id,
            "endpoint": resolved.endpoint,
            "function_name": resolved.function_name,
        }
    return Event(
        event_type=f"dependency_{'resolved' if resolved.status == 'available' else 'unresolved'}",
        agent_id=record.id,
        agent_name=record.name,
        function_name=function_name,
        timestamp_us=now_us,
        data=data,
    )
