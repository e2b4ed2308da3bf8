"""What a cache tells about itself."""

from typing import NamedTuple


class CacheStats(NamedTuple):
    """Counts since the cache was made, and what it holds now."""

    hits: int
    """Reads that found an entry."""
    misses: int
    """Reads that found none."""
    stored: int
    """Values stored, overwriting included."""
    outlived: int
    """Values refused: what they were derived from had changed while they were computed."""
    evicted: int
    """Entries that left to make room."""
    expired: int
    """Entries that left because their time was up."""
    invalidated: int
    """Entries that left because of a tag."""
    entries: int
    """Entries now. Those whose time is up count until a read or a sweep comes upon them."""
    bytes: int
    """Sum of their sizes, if ``max_bytes`` was given; else 0."""
    tags: int
    """Tags that some entry carries."""
    pending: int
    """Entries that were invalidated and whose memory is still to be released."""

    @property
    def hit_ratio(self) -> float:
        """Share of the reads that found an entry; 0 if there was none."""
        return self.hits / (self.hits + self.misses) if self.hits else 0.0
