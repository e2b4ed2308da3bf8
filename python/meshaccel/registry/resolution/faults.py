"""Why a tool does not satisfy a dependency, in the words of upstream's audit trail.

Each function takes for granted that the tool was refused and only says why. Agents write most
of the words in it, so all of it is capped: lists by ``MAX_REASONS``, texts by ``MAX_TEXT``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from meshaccel.models import Dependency, JsonObject, OfferedTool, TagTerm
from meshaccel.registry.resolution.schemas import as_object, is_subset, strings
from meshaccel.registry.resolution.selection import tool_version
from meshaccel.registry.resolution.tags import tag_score

MAX_REASONS: Final = 10
"""Tags, types and differences of schemas that are listed."""
MAX_TEXT: Final = 256
"""Characters of any one text; a longer one ends in an ellipsis."""


def short(text: str) -> str:
    """Cut a text that is too long to be repeated for every candidate."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def fault(reason: str, details: JsonObject) -> JsonObject:
    """Write a reason."""
    return {"reason": reason, "details": details}


def tag_fault(wanted: Sequence[TagTerm], offered: Sequence[str]) -> JsonObject:
    """Name the first excluded tag, else all missing ones, else what the first group lacks."""
    plain = [term for term in wanted if isinstance(term, str)]
    failed = [term for term in plain if tag_score((term,), offered) is None]
    disallowed = _first_excluded(failed)
    if disallowed is None and failed:
        return fault("MissingTag", {"missing": _listed(failed)})
    if disallowed is None:
        groups = (term for term in wanted if not isinstance(term, str))
        group = next(group for group in groups if tag_score((group,), offered) is None)
        disallowed = _first_excluded(t for t in group if tag_score((t,), offered) is None)
        if disallowed is None:
            return fault("MissingTag", {"missing_one_of": _listed(group)})
    return fault("ExtraTagDisallowed", {"disallowed": [short(disallowed)]})


def version_fault(dependency: Dependency, tool: OfferedTool) -> JsonObject:
    """Name the constraint and the version that is not within it."""
    constraint, version = short(dependency.version or ""), short(tool_version(tool))
    return fault("VersionConstraintFailed", {"constraint": constraint, "version": version})


def schema_fault(dependency: Dependency, tool: OfferedTool) -> JsonObject:
    """Name the hashes and, where schemas were compared, how they differ."""
    produced = tool.output_schema_canonical
    # A schema is published only together with its hash.
    produced_hash = tool.output_schema_hash or "" if produced is not None else ""
    mode = "strict" if dependency.match_mode == "strict" else "subset"
    details: dict[str, object] = {
        "consumer_hash": short(dependency.expected_schema_hash or ""),
        "mode": mode,
        "producer_hash": short(produced_hash),
    }
    if not produced_hash:
        details["reasons"] = [{"kind": "no_published_hash"}]
    elif mode == "subset":
        found = differences(dependency.expected_schema or {}, produced or {})
        details["reasons"] = list(islice(found, MAX_REASONS))
    return fault("SchemaIncompatible", details)


def differences(expected: JsonObject, produced: JsonObject) -> Iterator[JsonObject]:
    """Yield what of ``expected`` is not produced, as ``is_subset`` judges it, in reading order."""
    pending: list[Any] = [(expected, produced, "")]
    # Held, as in ``is_subset``: an id says something only while its object is there.
    seen: dict[tuple[int, int], tuple[JsonObject, JsonObject]] = {}
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            continue
        wanted, given, path = item
        if (id(wanted), id(given)) in seen:
            continue
        seen[id(wanted), id(given)] = (wanted, given)
        wanted_type, given_type = wanted.get("type"), given.get("type")
        if not is_subset({"type": wanted_type}, {"type": given_type}):
            types = {"consumer_type": _types(wanted_type), "producer_type": _types(given_type)}
            yield {"kind": "type_mismatch", "path": path, **types}
        pending.extend(reversed(list(_parts(wanted, given, path))))


def _parts(wanted: JsonObject, given: JsonObject, path: str) -> Iterator[Any]:
    """Yield each pair of subschemas with its path, and a difference where one has no partner."""
    described, offered = as_object(wanted.get("properties")), as_object(given.get("properties"))
    compared: set[str] = set()
    for field in strings(wanted.get("required")):
        below = short(f"{path}.{field}" if path else field)
        if field not in offered:
            yield {"kind": "missing_field", "path": below, "field": short(field)}
        elif field in compared:
            # What is missing is repeated as upstream does; what is there is compared once.
            continue
        elif isinstance(described.get(field), Mapping) and isinstance(offered[field], Mapping):
            compared.add(field)
            yield described[field], offered[field], below
    if isinstance(wanted.get("items"), Mapping):
        below = short(f"{path}.[]" if path else "[]")
        if isinstance(given.get("items"), Mapping):
            yield wanted["items"], given["items"], below
        else:
            yield {"kind": "missing_items_schema", "path": below}


def _first_excluded(terms: Iterable[str]) -> str | None:
    return next((term[1:] for term in terms if term.startswith("-")), None)


def _listed(texts: Iterable[str]) -> list[str]:
    return [short(text) for text in islice(texts, MAX_REASONS)]


def _types(declared: Any) -> Any:
    """Repeat the ``type`` of a schema: a text or a list of texts, or it would fit anything."""
    if isinstance(declared, str):
        return short(declared)
    return _listed(name for name in declared if isinstance(name, str))
