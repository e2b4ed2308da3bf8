"""What a call of a second level costs, in trips and in time.

    python -m benches.cache_l2 [--rounds N]

Needs the extra ``test``, for a Valkey server of its own on the loopback. Trips are counted by the
server. Times are wall time, one call after the other; the contenders take turns in one process,
and the figure is the median over the rounds of the ratio to the call named.
"""

import argparse
import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis
from tests.valkey import Valkey, valkey

from meshaccel.cache.level2 import UNKNOWN, Level2, StoredEntry, Version, Wanted
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.pool import ConnectionPool

PAYLOAD = bytes(500)
TAGS = ("agent:1", "capability:2", "fleet")
CALLS = 50
"""Per contender and round."""

Call = Callable[[], Awaitable[object]]


def entry(version: Version, *tags: str) -> StoredEntry:
    return StoredEntry(PAYLOAD, tags, version, math.inf, math.inf)


async def seconds(call: Call) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return time.perf_counter() - start


async def ratios(base: str, calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median ratios to the call named, over rounds in which all take turns."""
    order = list(calls)
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        random.shuffle(order)
        times = {name: await seconds(calls[name]) for name in order}
        for name, taken in times.items():
            found[name].append(taken / times[base])
    return {name: statistics.median(each) for name, each in found.items()}


def show(base: str, found: dict[str, float]) -> None:
    for name, ratio in found.items():
        print(f"  {name:<44} {ratio:6.2f} x {base}")


async def trips(server: Valkey, call: Call) -> int:
    """How many commands the server was sent; what its scripts call is not sent."""
    await call()  # connected, and the scripts are known
    server.command("CONFIG", "RESETSTAT")
    await call()
    calls = server.calls()
    return sum(calls.get(name, 0) for name in ("evalsha", "eval", "script|load"))


async def fill(l2: Level2, count: int, tag: str) -> None:
    version = (await l2.read([])).version
    for start in range(0, count, 500):
        keys = range(start, min(start + 500, count))
        await asyncio.gather(*(l2.write(f"{tag}:{n}", entry(version, tag)) for n in keys))


async def measure_redis(server: Valkey, rounds: int) -> None:
    async with (
        RedisL2(server.url) as l2,
        Redis(port=server.port) as client,
        Redis(port=server.port, socket_timeout=1.0) as with_timeout,
    ):
        version = (await l2.read([])).version
        await l2.write("k", entry(version, *TAGS))
        await client.set("k", PAYLOAD)
        hundred = [f"missing:{n}" for n in range(100)]

        async def misses() -> None:
            await asyncio.gather(*(l2.read([Wanted(key, TAGS)]) for key in hundred))

        print("trips")
        for name, call in {
            "read, 3 tags": lambda: l2.read([Wanted("k", TAGS)]),
            "write, 3 tags": lambda: l2.write("k", entry(version, *TAGS)),
            "put, 3 tags": lambda: l2.put("p", entry(UNKNOWN, *TAGS)),
            "delete": lambda: l2.delete(["gone"]),
            "invalidate a tag": lambda: l2.invalidate(["unused"]),
        }.items():
            print(f"  {name:<44} {await trips(server, call):6}")
        print(f"  {'100 concurrent misses, per key':<44} {await trips(server, misses) / 100:6.2f}")

        print("time")
        version = (await l2.read([])).version
        await l2.write("k", entry(version, *TAGS))
        await l2.write("plain", entry(version))
        show(
            "GET",
            await ratios(
                "GET",
                {
                    "GET": lambda: client.get("k"),
                    "GET with a timeout, as the read has": lambda: with_timeout.get("k"),
                    "read, no tags": lambda: l2.read([Wanted("plain")]),
                    "read, 3 tags": lambda: l2.read([Wanted("k")]),
                    "read, 3 tags, known to the reader": lambda: l2.read([Wanted("k", TAGS)]),
                },
                rounds,
            ),
        )
        show(
            "GET per key",
            {"100 concurrent misses": await misses_per_key(client, misses, rounds)},
        )
        show(
            "SET",
            await ratios(
                "SET",
                {
                    "SET": lambda: client.set("k", PAYLOAD),
                    "SET with a timeout, as the write has": lambda: with_timeout.set("k", PAYLOAD),
                    "write, no tags": lambda: l2.write("plain", entry(version)),
                    "write, 3 tags": lambda: l2.write("k", entry(version, *TAGS)),
                    "put, 3 tags": lambda: l2.put("p", entry(UNKNOWN, *TAGS)),
                },
                rounds,
            ),
        )
        for count in (10, 1_000, 100_000):
            await fill(l2, count, f"of {count}")
        show(
            "INCR",
            await ratios(
                "INCR",
                {
                    "INCR": lambda: client.incr("number"),
                    "invalidate a tag of 10 entries": lambda: l2.invalidate(["of 10"]),
                    "invalidate a tag of 1,000 entries": lambda: l2.invalidate(["of 1000"]),
                    "invalidate a tag of 100,000 entries": lambda: l2.invalidate(["of 100000"]),
                },
                rounds,
            ),
        )


async def misses_per_key(client: "Redis", misses: Call, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(100):
            await client.get("k")
        one_by_one = time.perf_counter() - start
        start = time.perf_counter()
        await misses()
        found.append((time.perf_counter() - start) / one_by_one)
    return statistics.median(found)


async def measure_sqlite(folder: Path, rounds: int) -> None:
    async with (
        await SqliteL2.open(folder / "l2.db") as l2,
        ConnectionPool(folder / "plain.db", 4) as pool,
    ):
        version = (await l2.read([])).version
        await l2.write("k", entry(version, *TAGS))
        await pool.execute("CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB)")
        await pool.execute("INSERT INTO t VALUES ('k', ?)", (PAYLOAD,))
        show(
            "SELECT through the pool",
            await ratios(
                "SELECT",
                {
                    "SELECT": lambda: pool.fetch_one("SELECT v FROM t WHERE k = ?", ("k",)),
                    "read, 3 tags": lambda: l2.read([Wanted("k", TAGS)]),
                },
                rounds,
            ),
        )
        replace = "INSERT OR REPLACE INTO t VALUES ('k', ?)"
        show(
            "INSERT through the pool",
            await ratios(
                "INSERT",
                {
                    "INSERT": lambda: pool.execute(replace, (PAYLOAD,)),
                    "write, 3 tags": lambda: l2.write("k", entry(version, *TAGS)),
                    "invalidate a tag": lambda: l2.invalidate(["unused"]),
                },
                rounds,
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    print("RedisL2")
    with valkey() as server:
        asyncio.run(measure_redis(server, rounds))
    print("SqliteL2")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_sqlite(Path(folder), rounds))


if __name__ == "__main__":
    main()
