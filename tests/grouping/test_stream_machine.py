"""A stream says what grouping all its rows at once says, however they are cut into chunks."""

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.grouping.cases import GroupingCase, grouping_cases

from meshaccel.errors import GroupingError
from meshaccel.grouping import RowGrouper


def unless_refused(look: Callable[[], object]) -> object:
    """What there is to see; None if a value has no JSON form, or a lazy document is none."""
    try:
        return look()
    except GroupingError:
        return None


class StreamMachine(RuleBasedStateMachine):
    """Feeds a native stream chunk by chunk; some rows are refused, the others count."""

    @initialize(case=grouping_cases(malformed=True, json=True))
    def begin(self, case: GroupingCase) -> None:
        """Make a stream of which nothing was asked yet."""
        self.rows: list[Any] = case.rows
        self.grouper = RowGrouper(case.shape)
        self.stream = self.grouper.stream()
        self.given = 0
        self.taken: list[Any] = []

    @rule(start=st.integers(0, 11), length=st.integers(0, 6), lazily=st.booleans())
    def feed(self, start: int, length: int, *, lazily: bool) -> None:
        """Feed a chunk, as a list or row by row. Those after a refused row are not looked at."""
        chunk = self.rows[start : start + length]
        try:
            assert self.stream.feed(iter(chunk) if lazily else chunk) == []
        except GroupingError as error:
            refused: int = getattr(error, "row") - self.given  # noqa: B009
            chunk = chunk[:refused]
            self.given += 1
        self.given += len(chunk)
        self.taken += chunk

    @rule()
    def finish(self) -> None:
        """Take the records, and begin anew."""
        records, expected = self.stream.finish(), self.grouper.group(self.taken)
        assert unless_refused(lambda: repr(records)) == unless_refused(lambda: repr(expected))
        self.given, self.taken = 0, []

    @rule()
    def finish_as_json(self) -> None:
        """Take the records as JSON. Where that fails, it does for all rows at once too."""
        text = unless_refused(self.stream.finish_json)
        assert text == unless_refused(lambda: self.grouper.group_json(self.taken))
        if text is not None:
            self.given, self.taken = 0, []


StreamMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=20)
test_chunks_of_rows_are_the_rows = StreamMachine.TestCase
