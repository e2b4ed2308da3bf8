"""One timer for all that a breaker has to do later."""

import asyncio
from collections.abc import Callable

_RESOLUTION_S = 0.001


class Alarm:
    """Calls ``ring`` in the event loop of those who wait, when the first thing is due.

    It may ring too early, since it is not set back when something is no longer due; whoever is
    called looks at the clock, and sets it again.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, loop: asyncio.AbstractEventLoop, delay_s: float) -> None:
        """Ring in ``delay_s`` seconds or earlier, but for a millisecond."""
        # A loop calls back a little early, too; without a least delay it would be asked again and
        # again for what is not quite due.
        when = loop.time() + max(_RESOLUTION_S, delay_s)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._go_off)

    def stop(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        self._timer = None
        self._ring()
