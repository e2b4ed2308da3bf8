"""What a circuit breaker is to the pipeline, and the one that fails fast."""

from typing import Protocol


class Permit(Protocol):
    """Leave for one call. Exactly one of its methods is called, once, when the call has ended."""

    def success(self, latency_s: float, /) -> None:
        """The dependency answered, after so many seconds."""

    def failure(self) -> None:
        """The dependency is in trouble."""

    def release(self) -> None:
        """The call tells nothing of the dependency, as when it was cancelled."""


class Breaker(Permit, Protocol):
    """Lets calls through while a dependency works.

    The breaker is itself the permit of a call that ``try_enter`` let through, so that the usual
    case allocates nothing. One with an attribute ``timed`` that is False may be told that a call
    it let through in that way took no time.
    """

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half_open``."""

    def try_enter(self) -> bool:
        """Let a call through at once, or return False. Never waits, never raises."""

    async def enter(self, deadline: float | None, /) -> Permit:
        """Let a call through, now or, if the breaker makes calls wait, later.

        Args:
            deadline: until when the call can wait, in seconds of the breaker's clock.

        Raises:
            CircuitOpenError: not before then. Nothing was sent.
        """
