"""What a pool has to know about its process: that it was forked, and that it ends."""

import atexit
import os
import time
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

_GRACE_S = 1.0


class Ending(Protocol):
    """A worker, as far as the end of the process is concerned."""

    def stop(self) -> None:
        """Ask it to end."""

    def interrupt(self) -> bool:
        """Interrupt what it does; return whether it does anything."""

    def join(self, timeout: float) -> bool:
        """Wait for its end, up to ``timeout`` seconds; return whether it came."""


_workers: "WeakSet[Ending]" = WeakSet()
_generation = 0


def generation() -> int:
    """Return how many forks lie between the first process and this one."""
    return _generation


def end_at_exit(worker: Ending) -> None:
    """Stop ``worker`` when the interpreter exits, if it is still there then."""
    _workers.add(worker)


def _end() -> None:
    """Let SQLite close its files; a worker that does not react in time ends with the process."""
    deadline = time.monotonic() + _GRACE_S
    workers = list(_workers)
    for worker in workers:
        worker.stop()
    for worker in workers:
        while time.monotonic() < deadline:
            worker.interrupt()
            if worker.join(0.01):
                break


def _forked() -> None:
    """Forget the workers: their threads are the parent's, and so are their connections.

    The frames of those threads keep the connections alive for ever, and that is right: SQLite
    forbids to use, and even to close, a connection that came through a fork.
    """
    global _generation, _workers  # noqa: PLW0603 - there is one process
    _generation += 1
    _workers = WeakSet()


atexit.register(_end)
with suppress(AttributeError):  # no fork on Windows
    os.register_at_fork(after_in_child=_forked)
