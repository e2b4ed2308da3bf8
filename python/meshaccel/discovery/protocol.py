"""The words of the change feed: what a reader asks and what a registry answers.

Every change of an agent has a revision of its own, allocated in the transaction that commits it, so
that a reader that has everything up to revision R misses nothing by asking for what is after R. An
answer says the state of the agents that changed, not what happened to them: nine changes of one
agent are one item, and any item may be applied again.
"""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from meshaccel.models import AgentStatus

MAX_LIMIT = 5000
DEFAULT_LIMIT = 500
"""Agents that a registry looks at for one answer."""


class Upsert(Struct, frozen=True, tag_field="op", tag="upsert"):
    """An agent that is selected, as it is now. ``agent`` is its document, a JSON object."""

    id: str
    revision: int
    status: AgentStatus
    agent: msgspec.Raw


class Remove(Struct, frozen=True, tag_field="op", tag="remove"):
    """An agent that was removed from the registry."""

    id: str
    revision: int


class Leave(Struct, frozen=True, tag_field="op", tag="leave"):
    """An agent that is not selected any more, if it was before."""

    id: str
    revision: int


Item: TypeAlias = Upsert | Remove | Leave


class ChangesRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a reader holds, and what it wants.

    With ``since=0`` and no epoch it holds nothing, and is given everything: a snapshot, in as
    many answers as it takes.
    """

    epoch: str | None = None
    """The history that ``since`` belongs to."""
    since: int = 0
    known: int | None = None
    """``Changes.known`` of the answer before, if there is more."""
    buckets: tuple[int, ...] = ()
    """Only agents of these buckets; () for all."""
    selector: str = ""
    limit: int = DEFAULT_LIMIT
    wait_s: float = 0.0
    """How long to wait for a change if there is none."""
    hash: str | None = None
    """The hash of what the reader holds."""


class Changes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is different at revision ``to`` from what it was at ``since``, in order of revision."""

    epoch: str
    since: int
    to: int
    floor: int = 0
    """Removals up to this revision are forgotten."""
    items: tuple[Item, ...] = ()
    more: bool = False
    """Whether there are changes after ``to``."""
    known: int | None = None
    """If there is more: the revision at which the reader last knew everything, or of which its
    snapshot is. Between two answers an agent may have moved on past ``to``: whether the reader
    must be told that it left is a matter of what it knew then, not of what it read since."""
    hash: str | None = None
    """Unless there is more, and of all buckets: the hash of everything selected at ``to``."""


class Gone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """There is no way from what the reader holds to what there is: it needs a snapshot.

    Unless it holds just what there is, which ``hash`` tells it: then it goes on from here.
    """

    reason: Literal["epoch", "compacted", "future"]
    epoch: str
    revision: int
    floor: int = 0
    hash: str | None = None
    spread_s: float = 0.0
    """Readers should begin their snapshots at random times within so many seconds."""


class HeartbeatAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of the answer to a heartbeat that asked for changes: one of the two."""

    changes: Changes | None = None
    gone: Gone | None = None


class DigestRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reader wants to know where what it holds is different."""

    selector: str = ""


class Digest(Struct, frozen=True, kw_only=True):
    """The hashes of the 256 buckets at a revision, 16 bytes each."""

    epoch: str
    revision: int
    buckets: bytes


Request: TypeAlias = ChangesRequest | DigestRequest
Reply: TypeAlias = Changes | Gone | Digest


class ChangeSource(Protocol):
    """Where a reader gets its answers: a registry's ``feed``, or an ``HttpSource``.

    Every method raises ``RegistryUnavailableError`` or ``DatabaseError`` if there is no answer
    now.
    """

    async def changes(self, request: ChangesRequest) -> Changes | Gone:
        """Answer a request."""

    async def digest(self, request: DigestRequest) -> Digest:
        """Answer with the hashes of the buckets."""

    def follow(self, request: ChangesRequest) -> AsyncGenerator[Changes | Gone, None]:
        """Answer a request, and go on answering as there are changes.

        Each answer begins where the one before it ended. Now and then there is one without
        items, whose hash says that nothing was missed. ``Gone`` is the last.
        """
