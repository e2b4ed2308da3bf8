"""The audit trail: which events tell what happened to agents and to their dependencies."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from meshaccel.clock import rfc3339
from meshaccel.content import digest_bytes
from meshaccel.db.candidates import Offers
from meshaccel.db.events import Event
from meshaccel.models import AgentStatus, Dependency, JsonObject
from meshaccel.registry.fleets import Fleet
from meshaccel.registry.records import Record
from meshaccel.registry.resolution import (
    ResolvedDependency,
    Trace,
    Wiring,
    explain,
)

log = logging.getLogger(__name__)

MAX_EVENTS: Final = 1000
"""Events of one answer: an agent may declare any number of dependencies."""

_NO_OFFERS = Offers()


class _Link(Struct, frozen=True):
    """A dependency and what its agent was and is told of it."""

    function_name: str
    index: int
    dependency: Dependency
    before: ResolvedDependency | None
    now: ResolvedDependency

    @property
    def key(self) -> tuple[str, int]:
        """What names the dependency within its agent."""
        return self.function_name, self.index

    def may_be_news(self) -> bool:
        """Whether it is worth a trace; of what is still unresolved, the reason may be new."""
        return self.now.status == "unresolved" or self.before != self.now


class _Written(Struct, frozen=True, gc=False):
    """The last event on a dependency."""

    digest: bytes
    chosen: str
    """The agent last written as chosen, not forgotten while there is none."""


class Trail:
    """What is written of the wiring of one agent, so that nothing is written twice.

    One entry per dependency that is declared and was ever news. Lost with the process, as
    what an agent was told is.
    """

    __slots__ = ("_written",)

    def __init__(self) -> None:
        self._written: dict[tuple[str, int], _Written] = {}

    def wiring_events(
        self,
        record: Record,
        before: Wiring | None,
        after: Wiring,
        fleet: Fleet,
        *,
        now_us: int,
    ) -> list[Event]:
        """Return the news between two wirings told to an agent, traced over ``fleet``.

        Costs a comparison per dependency, and a trace for each that differs or is unresolved.
        """
        links = list(_links(record, before, after))
        for key in self._written.keys() - {link.key for link in links}:
            del self._written[key]
        availability = fleet.availability()
        found: list[Event] = []
        for link in filter(_Link.may_be_news, links):
            if len(found) == MAX_EVENTS:
                log.warning("audit of a wiring cut short", extra={"agent_id": record.id})
                break
            offers = fleet.offers.get(link.now.capability, _NO_OFFERS)
            if _goes_without_saying(link, offers):
                continue
            trace = explain(link.dependency, offers.healthy, offers.unhealthy, availability)
            data = self._news(link, trace)
            if data is not None:
                found.append(_event(record, link, data, now_us=now_us))
        return found

    def _news(self, link: _Link, trace: Trace) -> JsonObject | None:
        """Return what there is to write, and take it for written."""
        written = self._written.get(link.key)
        prior = "" if written is None else written.chosen
        lost = prior or (link.before is not None and link.before.status == "available")
        if not _leads_to(trace, link.now) or not (trace.chosen or trace.evicted or lost):
            return None
        data: dict[str, object] = {"spec": _spec(link.dependency), "stages": trace.stages}
        if trace.chosen is not None:
            data["chosen"] = _chosen(link.now)
        digest = digest_bytes(msgspec.json.encode(data))
        if written is not None and written.digest == digest:
            return None
        self._written[link.key] = _Written(digest, link.now.agent_id or prior)
        return data | {"prior_chosen": prior} if prior else data


def transition_data(new_status: AgentStatus, *, now_us: int) -> JsonObject:
    """Return the data of the event that an agent recovered or became unhealthy."""
    recovered = new_status == "healthy"
    old_status = "unhealthy" if recovered else "healthy"
    return {
        "description": (
            "Agent recovered to healthy status" if recovered else "Agent became unhealthy"
        ),
        "detected_at": rfc3339(now_us // 1_000_000 * 1_000_000),
        "new_status": new_status,
        "old_status": old_status,
        "reason": "recovery" if recovered else "health_degradation",
        "source": "status_change_hook",
        "transition_type": f"{old_status}_to_{new_status}",
    }


def _links(record: Record, before: Wiring | None, after: Wiring) -> Iterator[_Link]:
    declared: defaultdict[str, list[Dependency]] = defaultdict(list)
    for tool in record.tools:
        if tool.function_name:
            declared[tool.function_name].extend(tool.dependencies or ())
    for name, dependencies in declared.items():
        told = before.dependencies_resolved.get(name, ()) if before else ()
        resolved = after.dependencies_resolved.get(name, ())
        # An agent that registers again meanwhile has another record than this wiring's: what
        # does not fit together is left to its next answer.
        for index, (dependency, now) in enumerate(zip(dependencies, resolved, strict=False)):
            if now.capability == (dependency.capability or ""):
                was = told[index] if index < len(told) else None
                yield _Link(name, index, dependency, was, now)


def _leads_to(trace: Trace, told: ResolvedDependency) -> bool:
    """Whether a trace ends at what was told; it does not if the fleet changed in between."""
    chosen = trace.chosen
    if chosen is None:
        return told.status == "unresolved"
    return _provider(told) == (chosen.agent_id, chosen.endpoint, chosen.tool.function_name or "")


def _goes_without_saying(link: _Link, offers: Offers) -> bool:
    """Whether the only candidate there is serves, and did so before if any did."""
    same = link.before is None or _provider(link.before) == _provider(link.now)
    few = len(offers.healthy) + len(offers.unhealthy) <= 1
    return link.now.status == "available" and same and few


def _provider(told: ResolvedDependency) -> tuple[str, str, str]:
    return told.agent_id, told.endpoint, told.function_name


def _event(record: Record, link: _Link, data: JsonObject, *, now_us: int) -> Event:
    return Event(
        event_type=f"dependency_{'resolved' if 'chosen' in data else 'unresolved'}",
        agent_id=record.id,
        agent_name=record.name,
        function_name=link.function_name,
        timestamp_us=now_us,
        data={"consumer": record.id, "dep_index": link.index, **data},
    )


def _spec(dependency: Dependency) -> JsonObject:
    spec: dict[str, object] = {"capability": dependency.capability or ""}
    # Without groups of alternatives, as upstream: its readers expect plain texts.
    tags = [term for term in dependency.tags or () if isinstance(term, str)]
    if tags:
        spec["tags"] = tags
    if dependency.version:
        spec["version_constraint"] = dependency.version
    spec["schema_mode"] = dependency.match_mode or "none"
    return spec


def _chosen(told: ResolvedDependency) -> JsonObject:
    return {
        "agent_id": told.agent_id,
        "endpoint": told.endpoint,
        "function_name": told.function_name,
    }
