"""The decorator for functions whose values are cached."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from meshaccel.cache.hierarchical import HierarchicalCache

V = TypeVar("V")
P = ParamSpec("P")

Key = str | Callable[..., str]
Tags = Iterable[str] | Callable[..., Iterable[str]]


class Decorator(Protocol[V]):
    """Makes a function one that looks into the cache before it is called."""

    def __call__(
        self, function: Callable[P, Awaitable[V]] | Callable[P, V], /
    ) -> Callable[P, Awaitable[V]]:
        """Decorate."""


def decorator(
    cache: "HierarchicalCache[V]", *, key: Key, ttl: float | None, tags: Tags
) -> Decorator[V]:
    """Return the decorator; ``HierarchicalCache.cached`` explains the arguments."""

    def decorate(
        function: Callable[P, Awaitable[V]] | Callable[P, V], /
    ) -> Callable[P, Awaitable[V]]:
        signature = inspect.signature(function)
        key_of = _made(key, signature)
        tags_of = tags if callable(tags) else _all([_made(tag, signature) for tag in tags])

        @wraps(function)
        def cached(*args: P.args, **kwargs: P.kwargs) -> Awaitable[V]:
            def fetch() -> Awaitable[V] | V:
                return function(*args, **kwargs)

            def needed() -> Iterator[str]:
                yield from tags_of(*args, **kwargs)

            # Nobody asks for the tags if the value is there.
            return cache.get(key_of(*args, **kwargs), fetch, ttl=ttl, tags=needed())

        return cached

    return decorate


def _made(template: Key, signature: inspect.Signature) -> Callable[..., str]:
    """Return a function of the arguments that fills the template in."""
    if callable(template):
        return template
    text = template

    def fill(*args: Any, **kwargs: Any) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return text.format(**bound.arguments)

    return fill


def _all(functions: list[Callable[..., str]]) -> Callable[..., list[str]]:
    return lambda *args, **kwargs: [function(*args, **kwargs) for function in functions]
