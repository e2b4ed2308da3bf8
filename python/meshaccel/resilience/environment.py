"""Where time and chance come from, and what errors mean."""

import asyncio
import logging
import random as chance
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, TypeVar

from meshaccel.errors import PolicyError
from meshaccel.resilience.backoff import Uniform
from meshaccel.resilience.handlers import Handlers
from meshaccel.resilience.verdicts import Classifying

T = TypeVar("T")

logger = logging.getLogger("meshaccel.resilience")
"""One record for each retry, and when they end in vain, with the facts as extra."""

logger.addHandler(logging.NullHandler())  # a program that logs nowhere does not want it on stderr


@dataclass(slots=True)
class Environment:
    """What all operations of one middleware share.

    Attributes:
        classifier: tells what errors mean.
        clock: seconds from an arbitrary start.
        sleep: waits so many seconds in a coroutine.
        sleep_sync: waits so many seconds in a thread.
        uniform: draws a number between two.
        handlers: what users do about errors.
    """

    classifier: Classifying
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    sleep_sync: Callable[[float], None] = time.sleep
    uniform: Uniform = chance.uniform
    handlers: Handlers = field(default_factory=Handlers)


def answered(operation: str, result: T) -> T:
    """Return what a function returned in a thread.

    Raises:
        PolicyError: it is a coroutine, whose work has not even begun.
    """
    if isinstance(result, CoroutineType):
        result.close()
        raise PolicyError(f"{operation}: a coroutine is no result of a synchronous operation")
    return result


def at_once(work: Coroutine[Any, Any, T], what: str) -> T:
    """Run a coroutine that has nothing to wait for, and return its result.

    Raises:
        PolicyError: it does wait, for ``what``.
    """
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise PolicyError(f"{what} waits, which a synchronous operation cannot")
