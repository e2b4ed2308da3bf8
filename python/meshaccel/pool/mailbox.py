"""The way back from the workers' threads into the event loop."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class Letter(Protocol):
    """Something that has to happen in the event loop."""

    def deliver(self) -> None:
        """Make it happen."""


class Mailbox:
    """Letters to the event loop, with one wake-up for all that arrive before it looks.

    Waking a loop is a system call. Under load the loop is busy anyway, and many jobs end before
    it comes round. Where the system has them, an event descriptor does the waking: it costs two
    thirds of ``call_soon_threadsafe``, whose socket the loop reads until it is empty.
    """

    __slots__ = ("_awaited", "_bell", "_letters", "_loop", "_ring")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: deque[Letter] = deque()
        self._awaited = False
        self._bell = _Bell.hang(loop, self._deliver)
        self._ring: Callable[[], None] = self._bell.ring if self._bell else self._call_soon

    def post(self, *letters: Letter) -> None:
        """Have letters delivered in the event loop, in order; from any thread."""
        self._letters.extend(letters)
        # Whoever sees the flag set posted before the loop cleared it, so the loop will see the
        # letter: it clears the flag first and empties the box afterwards.
        if not self._awaited:
            self._awaited = True
            self._ring()

    def close(self) -> None:
        """Deliver nothing from now on."""
        if self._bell is not None:
            self._bell.take_down(self._loop)

    def _call_soon(self) -> None:
        # On a closed loop nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._awaited = False
        letters = self._letters
        # What arrives meanwhile rings again: the loop has others to serve, too.
        for _ in range(len(letters)):
            letters.popleft().deliver()


class _Bell:
    """An event descriptor that the loop watches.

    It is closed when the last who could ring it is gone, never before: its number might be
    another file's by then.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def hang(cls, loop: asyncio.AbstractEventLoop, answer: Callable[[], None]) -> "_Bell | None":
        """Return one that makes the loop call ``answer``; None if system or loop cannot."""
        if not hasattr(os, "eventfd"):
            return None
        bell = cls(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))

        def heard() -> None:
            os.eventfd_read(bell._fd)
            answer()

        try:
            loop.add_reader(bell._fd, heard)
        except NotImplementedError:
            return None
        return bell

    def ring(self) -> None:
        """Wake the loop; from any thread."""
        os.eventfd_write(self._fd, 1)

    def take_down(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop watch it no longer."""
        if not loop.is_closed():
            loop.remove_reader(self._fd)

    def __del__(self) -> None:
        os.close(self._fd)
