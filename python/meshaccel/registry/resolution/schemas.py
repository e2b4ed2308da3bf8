"""Whether the output schema a tool publishes serves the one a consumer expects."""

from collections.abc import Mapping, Sequence
from typing import Any

from meshaccel.models import Dependency, JsonObject, OfferedTool


def schema_accepted(dependency: Dependency, tool: OfferedTool) -> bool:
    """Apply the ``match_mode`` of a dependency to the output schema of a tool.

    No mode: anything goes. Equal hashes pass. ``strict`` takes nothing else. ``subset``, and
    any mode not known, also takes a tool that publishes no schema (it predates schemas) and
    one whose schema serves what is expected (``is_subset``). A schema is published only
    together with its hash.
    """
    if not dependency.match_mode:
        return True
    expected, produced = dependency.expected_schema, tool.output_schema_canonical
    if produced is None or not tool.output_schema_hash:
        return dependency.match_mode != "strict"
    if tool.output_schema_hash == dependency.expected_schema_hash:
        return True
    if dependency.match_mode == "strict":
        return False
    return expected is None or is_subset(expected, produced)


def is_subset(expected: JsonObject, produced: JsonObject) -> bool:
    """Whether every field ``expected`` requires is produced, with a compatible type.

    Compared are ``type``, ``required`` with ``properties``, and ``items``, at every depth;
    whatever else a schema says, ``$ref`` included, constrains nothing. Extra fields are fine.

    Each pair of subschemas is visited once and without recursion: O(size of ``expected``),
    whatever its depth and however often a field is named as required.
    """
    pending: list[tuple[JsonObject, JsonObject]] = [(expected, produced)]
    # The pairs are held here, as an id says something only while its object is there: the parts
    # of a view are made anew each time.
    seen: dict[tuple[int, int], tuple[JsonObject, JsonObject]] = {}
    while pending:
        wanted, given = pending.pop()
        if (id(wanted), id(given)) in seen:
            continue
        seen[id(wanted), id(given)] = (wanted, given)
        if not _types_compatible(wanted.get("type"), given.get("type")):
            return False
        offered = as_object(given.get("properties"))
        described = as_object(wanted.get("properties"))
        for field in dict.fromkeys(strings(wanted.get("required"))):
            if field not in offered:
                return False
            if isinstance(described.get(field), Mapping) and isinstance(offered[field], Mapping):
                pending.append((described[field], offered[field]))
        if isinstance(wanted.get("items"), Mapping):
            if not isinstance(given.get("items"), Mapping):
                return False
            pending.append((wanted["items"], given["items"]))
    return True


def _types_compatible(wanted: Any, given: Any) -> bool:
    wanted_types, given_types = _type_names(wanted), frozenset(_type_names(given))
    if not wanted_types or not given_types:
        return True
    return all(
        name in given_types or (name == "number" and "integer" in given_types)
        for name in wanted_types
    )


def _type_names(declared: Any) -> list[str]:
    names = [declared] if isinstance(declared, str) else strings(declared)
    return [name for name in names if name]


def strings(value: Any) -> list[str]:
    """Return the texts in a list, be it plain or a view; none of anything else."""
    # Schemas come from the network: a member of the wrong type is as good as absent.
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return [item for item in value if isinstance(item, str)] if is_list else []


def as_object(value: Any) -> JsonObject:
    """Return an object, be it plain or a view; an empty one of anything else."""
    return value if isinstance(value, Mapping) else {}
