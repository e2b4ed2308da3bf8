"""Summaries that are dear to make, shared by processes and kept over their restarts.

``HierarchicalCache`` looks in this process, then in a second level that all share: a file, or Redis
or Valkey. Whoever changes a document invalidates its tag, and nobody serves the old summary again.

    python examples/shared_cache.py STORE summary A B     prints summaries, and what was computed
    python examples/shared_cache.py STORE edit A "text"   changes a document, from any process
    python examples/shared_cache.py STORE follow A        prints one as often as it changes

STORE is a folder, with the cache in it, or a folder and ``redis://HOST:PORT`` with a comma between.
"""

import asyncio
import sys
from pathlib import Path

from meshaccel import CachePolicy, FetchContext, HierarchicalCache, TagCache
from meshaccel.cache.level2 import Backplane, Level2
from meshaccel.cache.redis_backplane import RedisBackplane
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.resilient_l2 import ResilientL2
from meshaccel.cache.sqlite_backplane import SqliteBackplane
from meshaccel.cache.sqlite_l2 import SqliteL2

POLICY = CachePolicy(
    ttl=24 * 3600.0,
    fail_safe=7 * 24 * 3600.0,  # a week's old summary is better than an error
    hard_timeout=60.0,
    negative_ttl=5.0,
    negative=(FileNotFoundError,),
)

PATIENCE_S = 30.0
"""For the store. By default values are fetched after a second; these are worth more."""


async def open_cache(folder: Path, server: str) -> HierarchicalCache[str]:
    """Open the cache that processes with the same folder, or the same server, share."""
    shared: Level2
    backplane: Backplane
    if server:
        shared = RedisL2(server, namespace="summaries", timeout=PATIENCE_S)
        backplane = RedisBackplane(shared)
    else:
        shared = await SqliteL2.open(folder / "cache.db", max_entries=100_000)
        backplane = SqliteBackplane(shared)
    second = ResilientL2(shared, timeout=PATIENCE_S)
    return HierarchicalCache(TagCache(10_000), second, backplane=backplane, policy=POLICY)


class Summaries:
    """Summaries of the documents in a folder."""

    def __init__(self, folder: Path, cache: HierarchicalCache[str]) -> None:
        self._folder = folder
        self._cache = cache

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.txt"

    async def get(self, name: str) -> str:
        """Return the summary of a document.

        Raises:
            FileNotFoundError: there is no such document; that is remembered for five seconds.
        """

        async def summarize(context: FetchContext[str]) -> str:
            text = await asyncio.to_thread(self._path(name).read_text)
            for other in (word[1:] for word in text.split() if word.startswith("@")):
                context.tags.add(f"document:{other}")  # found out while reading
                text = text.replace(f"@{other}", await self.get(other))
            return text.partition(".")[0]  # a model would be asked here

        return await self._cache.get(f"summary:{name}", summarize, tags=[f"document:{name}"])

    async def edit(self, name: str, text: str) -> None:
        """Change a document. When this returns nobody computes with, or is served, the old one."""
        await asyncio.to_thread(self._path(name).write_text, text)
        await self._cache.invalidate_by_tag(f"document:{name}")


async def follow(summaries: Summaries, name: str) -> None:
    """Print a summary as often as it changes, until one says so."""
    last = ""
    while last != "the end":
        summary = await summaries.get(name)
        if summary != last:
            print(last := summary, flush=True)
        await asyncio.sleep(0.02)  # a hit costs a microsecond


async def main(store: str, command: str, *words: str) -> None:
    """Do what the command line says."""
    folder, _, server = store.partition(",")
    async with await open_cache(Path(folder), server) as cache:
        summaries = Summaries(Path(folder), cache)
        if command == "edit":
            await summaries.edit(words[0], words[1])
        elif command == "follow":
            await follow(summaries, words[0])
        else:
            for name in words:
                print(f"{name}: {await summaries.get(name)}")
            stats = cache.stats()
            print(f"{stats.fetches} computed, {stats.l2_hits} found in the second level")


if __name__ == "__main__":
    if not sys.argv[3:]:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
