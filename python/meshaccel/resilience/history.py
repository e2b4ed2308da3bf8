"""What a call went through, in words."""

from collections import deque
from contextlib import suppress

from meshaccel.errors import BulkheadFullError, CircuitOpenError, DeadlineExceededError
from meshaccel.resilience.environment import logger
from meshaccel.resilience.verdicts import Classification

NOT_SENT = (BulkheadFullError, CircuitOpenError, DeadlineExceededError)

_NOTES = 8


class History:
    """The attempts of one call that failed.

    Attributes:
        failures: how many there were.
        reason: why there will not be another, once that is known.
    """

    def __init__(self, operation: str) -> None:
        self.failures = 0
        self.reason = ""
        self._operation = operation
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._last: Exception | None = None
        self._verdict = ""

    def add(self, error: Exception, meaning: Classification, elapsed_s: float) -> None:
        """Note an attempt that failed so long after the beginning of the call."""
        self.failures += 1
        self._verdict = meaning.verdict.value
        self._notes.append(
            f"{self._operation}: attempt {self.failures} failed after {elapsed_s:.3f} s, "
            f"{self._verdict}: {_named(error)}"
        )
        if not isinstance(error, NOT_SENT):
            self._last = error

    def explained(self, error: Exception) -> Exception:
        """Return the error to raise: the last of the operation itself, with what came before."""
        final = error
        if isinstance(error, NOT_SENT) and self._last is not None:
            final = self._last
        # A pool may give one error to all who waited; it would collect the notes of each.
        noted = len(getattr(final, "__notes__", ()))
        if noted < _NOTES and (self.failures > 1 or self.reason):
            with suppress(AttributeError):  # it may be a frozen dataclass
                self._annotate(final)
        return final

    def _annotate(self, final: Exception) -> None:
        hidden = self.failures - len(self._notes)
        if hidden:
            final.add_note(f"{self._operation}: {hidden} earlier attempts not shown")
        for note in self._notes:
            final.add_note(note)
        if self.reason:
            final.add_note(f"{self._operation}: not tried again: {self.reason}")

    def log(self, level: int, message: str, **facts: object) -> None:
        """Write a record with the facts as its attributes."""
        if logger.isEnabledFor(level):
            extra = {
                "operation": self._operation,
                "attempt": self.failures,
                "verdict": self._verdict,
                "error": self._notes[-1],
                **facts,
            }
            logger.log(level, "%s: %s", self._operation, message, extra=extra)

    def forget(self) -> None:
        """Let go of the errors, whose tracebacks know of who keeps this history."""
        self._last = None


def _named(error: Exception) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - its author's mistake is not the error to raise
        return f"{name}, whose text raises {type(broken).__name__}"
    return f"{name}: {text}" if text else name
