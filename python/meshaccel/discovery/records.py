"""The agents that a reader of the change feed holds."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from meshaccel.discovery.convergence import (
    BUCKETS,
    SetHash,
    added,
    agent_hash,
    bucket_of,
    document_digest,
)
from meshaccel.discovery.protocol import Item, Upsert
from meshaccel.errors import InvalidMetadataJsonError, InvalidReplyError
from meshaccel.metadata import MetadataList, MetadataPool, MetadataView
from meshaccel.models import AgentStatus


class KnownAgent(Struct, frozen=True, eq=False):
    """An agent as of a revision. ``record`` is its document, whose parts are shared with others."""

    id: str
    revision: int
    status: AgentStatus
    record: MetadataView
    hash: int
    """By which a change of it is noticed; see ``convergence``."""

    @property
    def healthy(self) -> bool:
        """Whether its registry takes it for alive."""
        return self.status == "healthy"

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return str(self.record["endpoint"])

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The names of what it offers, each once."""
        names = (tool.get("capability") for tool in self.record["tools"])
        return tuple(dict.fromkeys(name for name in names if name and isinstance(name, str)))


class Records:
    """Agents by id and by capability, with the hash of them all.

    Their documents live in a ``MetadataPool``, which other holders may share.
    """

    def __init__(self, pool: MetadataPool) -> None:
        self._pool = pool
        self._agents: dict[str, KnownAgent] = {}
        self._by_capability: dict[str, dict[str, KnownAgent]] = {}
        self.hash = SetHash()

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[KnownAgent]:
        return iter(self._agents.values())

    @property
    def agents(self) -> Mapping[str, KnownAgent]:
        """The agents by id. Only to read."""
        return self._agents

    def by_capability(self, name: str) -> tuple[KnownAgent, ...]:
        """Return who offers a capability, in order of when this reader heard of it."""
        return tuple(self._by_capability.get(name, {}).values())

    def copy(self, *, without_buckets: Iterable[int] = ()) -> "Records":
        """Return the same agents, except those in some buckets, as a set of its own. O(n)."""
        gone = frozenset(without_buckets)
        copied = Records(self._pool)
        if len(gone) == BUCKETS:
            return copied
        copied._agents = dict(self._agents)
        copied._by_capability = {
            name: dict(offering) for name, offering in self._by_capability.items()
        }
        copied.hash = self.hash.copy()
        copied.apply({agent.id: None for agent in self if gone and bucket_of(agent.id) in gone})
        return copied

    def plan(self, items: Iterable[Item]) -> dict[str, KnownAgent | None]:
        """Return what items change, by id; nothing is changed yet.

        An item that is not newer than what is known of its agent changes nothing.

        Raises:
            InvalidReplyError: a document is no agent's.
        """
        planned: dict[str, KnownAgent | None] = {}
        for item in items:
            known = planned[item.id] if item.id in planned else self._agents.get(item.id)
            if known is not None and item.revision <= known.revision:
                continue
            planned[item.id] = self.read(item) if isinstance(item, Upsert) else None
        return planned

    def total_after(self, planned: Mapping[str, KnownAgent | None]) -> int:
        """Return the hash that all agents would have after ``apply``. O(changes)."""
        total = self.hash.total
        for agent_id, agent in planned.items():
            known = self._agents.get(agent_id)
            total = added(total, agent.hash if agent else 0, known.hash if known else 0)
        return total

    def apply(self, planned: Mapping[str, KnownAgent | None]) -> dict[str, KnownAgent | None]:
        """Change what was planned; return what there was before, by id. O(changes)."""
        before = {}
        for agent_id, agent in planned.items():
            known = before[agent_id] = self._agents.get(agent_id)
            self.hash.replace(
                agent_id, old=known.hash if known else 0, new=agent.hash if agent else 0
            )
            self._index(known, agent)
            if agent is not None:
                self._agents[agent_id] = agent
            else:
                self._agents.pop(agent_id, None)
        return before

    def differences(self, others: "Records") -> dict[str, KnownAgent | None]:
        """Return what ``others`` has of each agent that is not the same there and here. O(n).

        First those that are only there, then those that are here, in their order.
        """
        ours, theirs = self.agents, others.agents
        only_there = {agent_id: theirs[agent_id] for agent_id in theirs if agent_id not in ours}
        return only_there | {
            agent_id: theirs.get(agent_id)
            for agent_id, agent in ours.items()
            if agent.hash != _hash(theirs.get(agent_id))
        }

    def read(self, item: Upsert) -> KnownAgent:
        """Take an agent's document into the pool.

        Raises:
            InvalidReplyError: it is no agent's.
        """
        view = self._view(item.agent)
        if not isinstance(view, MetadataView) or view.get("id") != item.id:
            raise InvalidReplyError(f"the document of {item.id!r:.80} is another one's")
        if "endpoint" not in view or not _has_tools(view):
            raise InvalidReplyError(f"the document of {item.id!r:.80} is no agent's")
        digest = document_digest(view)
        return KnownAgent(
            item.id,
            item.revision,
            item.status,
            view,
            agent_hash(item.id, item.revision, item.status, digest),
        )

    def _view(self, document: msgspec.Raw) -> object:
        try:
            key = self._pool.intern_json(bytes(document))
        except InvalidMetadataJsonError as error:
            raise InvalidReplyError(f"a document cannot be read: {error}") from error
        view: object = self._pool.get(key)
        # The view holds its value; the key was only the way to it.
        self._pool.release(key)
        return view

    def _index(self, before: KnownAgent | None, after: KnownAgent | None) -> None:
        names = after.capabilities if after else ()
        for name in before.capabilities if before else ():
            if name not in names:
                offering = self._by_capability[name]
                offering.pop(before.id if before else "", None)
                if not offering:
                    del self._by_capability[name]
        for name in names:
            if after is not None:
                self._by_capability.setdefault(name, {})[after.id] = after


def _hash(agent: KnownAgent | None) -> int:
    return 0 if agent is None else agent.hash


def _has_tools(view: MetadataView) -> bool:
    tools = view.get("tools")
    return isinstance(tools, MetadataList) and all(isinstance(tool, MetadataView) for tool in tools)
