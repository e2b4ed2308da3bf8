"""What ``meshaccel.cache.Flight`` does, in plain Python."""

from collections.abc import Iterable
from typing import Self

from meshaccel.errors import CacheNameError


class Flight:
    """The same API and the same results as ``meshaccel.cache.Flight``."""

    def __init__(self, cache: object, epoch: int, flights: "list[Flight]") -> None:
        self.epoch = epoch
        self.cache = cache
        self.under_way = True
        self.changed: set[tuple[str, str]] = set()
        self.everything_changed = False
        self._flights = flights
        self._flights.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """Forget what was noted."""
        if self.under_way:
            self.under_way = False
            self._flights.remove(self)

    def outlived(self, tags: Iterable[str], key: str | None = None) -> bool:
        """Whether the key or a tag was changed, or might have been."""
        names = {("tag", tag) for tag in exact_names(tags, "tag")}
        if key is not None:
            names.add(("key", exact_name(key, "key")))
        return not self.under_way or self.everything_changed or not names.isdisjoint(self.changed)


def exact_name(name: str, role: str) -> str:
    """Return ``name`` if it is exactly a str."""
    if type(name) is not str:
        raise CacheNameError(role, type(name).__name__)
    return name


def exact_names(names: Iterable[str], role: str) -> list[str]:
    """Return what ``names`` gives if each is exactly a str."""
    if isinstance(names, str):
        raise CacheNameError(f"{role}s", "one str in place of a collection")
    return [exact_name(name, role) for name in names]
