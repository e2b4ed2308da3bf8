"""S3-FIFO (Yang et al., SOSP 2023) with a threshold of one hit, in plain Python."""

from collections.abc import Iterator

MAX_HITS = 3


class Queues:
    """Keys in the order in which they leave. A tenth of the room is for newcomers."""

    def __init__(self, max_entries: int, max_size: int | None = None) -> None:
        self._small: dict[str, int] = {}
        self._main: dict[str, int] = {}
        self._ghost: dict[str, None] = {}
        self._hits: dict[str, int] = {}
        self._small_entries = max(max_entries // 10, 1)
        self._small_size = None if max_size is None else max(max_size // 10, 1)
        self._ghosts = max(max_entries - self._small_entries, 0)

    def __iter__(self) -> Iterator[str]:
        yield from self._small
        yield from self._main

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    @property
    def size(self) -> int:
        """Sum of the sizes of the keys."""
        return sum(self._small.values()) + sum(self._main.values())

    def in_main(self, key: str) -> bool:
        """Whether ``key`` is no newcomer any more."""
        return key in self._main

    def hit(self, key: str) -> None:
        """Note a use of ``key``."""
        self._hits[key] = min(self._hits.get(key, 0) + 1, MAX_HITS)

    def revive(self, key: str) -> bool:
        """Whether ``key`` was evicted lately; it is no ghost any more."""
        return self._ghost.pop(key, self) is None

    def push(self, key: str, size: int, *, in_main: bool) -> None:
        """Put ``key`` at the end of a queue."""
        (self._main if in_main else self._small)[key] = size

    def take(self, key: str) -> None:
        """Take ``key`` out of its queue; its hits stay."""
        self._small.pop(key, None)
        self._main.pop(key, None)

    def remove(self, key: str) -> None:
        """Forget ``key``."""
        self.take(key)
        self._hits.pop(key, None)

    def evict(self) -> str | None:
        """Remove the key that is next, and return it."""
        while self._small or self._main:
            queue = self._main if self._main and not self._small_is_full() else self._small
            key, size = next(iter(queue.items()))
            hits = self._hits.get(key, 0)
            if not hits:
                if queue is self._small:
                    self._remember(key)
                self.remove(key)
                return key
            self.take(key)
            self._hits[key] = hits - 1 if queue is self._main else 0
            self.push(key, size, in_main=True)
        return None

    def _small_is_full(self) -> bool:
        if len(self._small) >= self._small_entries:
            return True
        return self._small_size is not None and sum(self._small.values()) >= self._small_size

    def _remember(self, key: str) -> None:
        self._ghost.pop(key, None)
        self._ghost[key] = None
        while len(self._ghost) > self._ghosts:
            del self._ghost[next(iter(self._ghost))]
