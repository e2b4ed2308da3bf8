"""Caching of derived values, with tags that say what each was derived from."""

from meshaccel.cache.tags import Flight, TagCache

__all__ = ["Flight", "TagCache"]
