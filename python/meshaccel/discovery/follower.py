"""A reader of the change feed without the reading: which question next, what an answer means."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, structs

from meshaccel.discovery.guards import Guards, Suspicion
from meshaccel.discovery.phases import Following, Next, Phase, Position, Reason, Snapshot, Whole
from meshaccel.discovery.protocol import (
    Changes,
    ChangesRequest,
    DigestRequest,
    Gone,
    Reply,
    Request,
)
from meshaccel.discovery.records import KnownAgent, Records
from meshaccel.metadata import MetadataPool


class Step(Struct, frozen=True):
    """What an answer led to."""

    done: bool
    """Whether the reader is up to date with it, as far as it is ready to believe."""
    before: Mapping[str, KnownAgent | None] = {}
    """What was held before of each agent that is held differently now."""
    reason: Reason | None = None
    """The doubt that made the reader go back."""
    spread_s: float = 0.0
    """Wait for a random part of so many seconds before the next question."""
    suspicion: Suspicion | None = None
    """Why the answer was not believed; the same will be asked again."""


class Follower:
    """Holds agents, and knows the next question.

    What it holds is, at any time, all that the registry held at ``position``: answers in several
    pages, comparisons and snapshots are put together aside, and take its place when they are whole
    and have the hash that the registry gave.

    ::

        while not step.done:
            request = follower.request()
            step = follower.receive(request, await source.answer(request))
    """

    def __init__(
        self, pool: MetadataPool, *, selector: str = "", limit: int, guards: Guards
    ) -> None:
        self._selector = selector
        self._limit = limit
        self._guards = guards
        self.records = Records(pool)
        self.position: Position | None = None
        self._phase: Phase = Snapshot(Records(pool))
        self.resyncs: Counter[str] = Counter()
        """How often each doubt came up."""
        self.suspicions: Counter[str] = Counter()
        self.late = 0
        """Answers to questions that are not asked any more."""

    def restore(self, records: Records, position: Position) -> None:
        """Go on from what was held before."""
        self._hold(records, position)

    def request(self) -> Request:
        """Return the question that leads on; the same one until it was answered."""
        asked = self._phase.request()
        if isinstance(asked, DigestRequest):
            return structs.replace(asked, selector=self._selector)
        return structs.replace(asked, selector=self._selector, limit=self._limit)

    @property
    def is_following(self) -> bool:
        """Whether the next question is what is new: the one that a stream goes on answering."""
        return isinstance(self._phase, Following)

    def expects(self, answer: Changes | Gone) -> bool:
        """Whether a stream's next answer is one to the next question."""
        request = self.request()
        if not self.is_following or not isinstance(request, ChangesRequest):
            return False
        return isinstance(answer, Gone) or answer.since == request.since

    def receive(self, request: Request, reply: Reply) -> Step:
        """Take the answer to a question. One to a former question is left alone.

        Raises:
            InvalidReplyError: no registry answers so. Nothing has changed.
        """
        if request != self.request():
            self.late += 1
            return Step(done=False)
        outcome = self._phase.receive(reply)
        if isinstance(outcome, Whole):
            return self._take(outcome)
        if outcome is None:
            return Step(done=False)
        return self._go(outcome)

    def _go(self, onward: Next) -> Step:
        self._phase = onward.phase
        if onward.reason is not None:
            self.resyncs[onward.reason] += 1
        return Step(done=False, reason=onward.reason, spread_s=onward.spread_s)

    def _take(self, whole: Whole) -> Step:
        if not whole.verified:
            suspicion = self._suspect(whole)
            if suspicion is not None:
                return self._refuse(suspicion)
        if whole.records is self.records:
            before = self.records.apply(whole.planned)
        else:
            whole.records.apply(whole.planned)
            before = whole.records.differences(self.records)
        self._hold(whole.records, whole.position)
        return Step(done=True, before=before)

    def _suspect(self, whole: Whole) -> Suspicion | None:
        planned = whole.planned
        if whole.records is not self.records:
            after = whole.records.agents
            differing = whole.records.differences(self.records)
            planned = {agent_id: after.get(agent_id) for agent_id in differing} | dict(planned)
        return self._guards.suspect(self.records, planned)

    def _refuse(self, suspicion: Suspicion) -> Step:
        self.suspicions[suspicion] += 1
        if self.position is not None:
            self._phase = Following(self.records, self.position)
        return Step(done=True, suspicion=suspicion)

    def _hold(self, records: Records, position: Position) -> None:
        self.records, self.position = records, position
        self._phase = Following(records, position)
