"""What a function that fetches a value is told, and may tell."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from meshaccel.cache.first_level import Kept
from meshaccel.errors import CacheNameError, CacheOptionError, NothingToRenewError

V = TypeVar("V")


class FetchContext(Generic[V]):
    """What is known of a value that is being fetched.

    A function that fetches may take one, and change ``tags``, ``ttl`` and ``validator``. A
    ``ttl`` of 0 keeps the value out of the cache.
    """

    __slots__ = ("_old", "key", "renewed", "tags", "ttl", "validator")

    def __init__(self, key: str, tags: Iterable[str], ttl: float, old: Kept[V] | None) -> None:
        self.key = key
        self.tags = set(tags)
        self.ttl = ttl
        self.validator: str | None = None
        self.renewed = False
        """Whether ``not_modified`` was called."""
        self._old = old

    @property
    def old_validator(self) -> str | None:
        """What the old value was stored with, to be sent as ``If-None-Match``, for example."""
        return None if self._old is None else self._old.validator

    @property
    def has_old(self) -> bool:
        """Whether there is an old value, to build on or to keep."""
        return self._old is not None

    @property
    def old(self) -> V:
        """The old value.

        Raises:
            NothingToRenewError: There is none.
        """
        if self._old is None:
            raise NothingToRenewError(self.key)
        return self._old.value

    def not_modified(self) -> V:
        """Return the old value, to be returned as the new one, with its tags and validator.

        Raises:
            NothingToRenewError: There is no old value.
        """
        value = self.old
        assert self._old is not None  # noqa: S101 - or `old` had raised
        self.tags |= self._old.tags
        self.validator = self._old.validator
        self.renewed = True
        return value

    def told(self) -> tuple[frozenset[str], float]:
        """Return the tags and the time to live, which may be 0.

        Raises:
            CacheNameError: A tag is not exactly a str.
            CacheOptionError: The time to live is negative.
        """
        if not self.ttl >= 0:
            raise CacheOptionError("ttl", "a number of seconds, 0 at least", self.ttl)
        return exact_tags(self.tags), self.ttl


Fetcher = Callable[[], Awaitable[V] | V] | Callable[[FetchContext[V]], Awaitable[V] | V]
"""Fetches a value: async or not, with a context or not."""


def call(fetch: Fetcher[V], context: FetchContext[V]) -> Awaitable[V] | V:
    """Call it, with the context if it has a positional parameter without a default."""
    if _wants_argument(fetch):
        return fetch(context)  # type: ignore[call-arg]
    return fetch()  # type: ignore[call-arg]


def _wants_argument(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return _signature_wants_argument(function)
    bound = inspect.ismethod(function)
    return bool(code.co_argcount - bound > len(function.__defaults__ or ()))


def _signature_wants_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some builtins, dict for example, do not tell
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        parameter.kind in positional and parameter.default is inspect.Parameter.empty
        for parameter in parameters
    )


def exact_tags(tags: Iterable[str]) -> frozenset[str]:
    """Return tags as a set.

    Raises:
        CacheNameError: One is not exactly a str, or a str is given in place of a collection.
    """
    if isinstance(tags, str):
        raise CacheNameError("tags", "one str in place of a collection")
    exact = frozenset(tags)
    for tag in exact:
        if type(tag) is not str:
            raise CacheNameError("tag", type(tag).__name__)
    return exact


def distinct_keys(keys: Iterable[str]) -> list[str]:
    """Return keys in their order, each once.

    Raises:
        CacheNameError: A str is given in place of a collection: its letters are not meant.
    """
    if isinstance(keys, str):
        raise CacheNameError("keys", "one str in place of a collection")
    return list(dict.fromkeys(keys))
