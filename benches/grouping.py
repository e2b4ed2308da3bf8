"""Compare the native grouper with grouping the same rows in Python.

    python benches/grouping.py [--agents 1000 10000] [--rounds 11] [--no-gc]

The rows are fetched once from a real joined query. The contenders take turns in one process,
their results are checked equal, and the table shows the median time of a child row and how many
times faster than each contender ``RowGrouper.group`` is (the median of the rounds' ratios).
All contenders make the same objects, so the garbage collector costs them the same; --no-gc
shows what is left without it. Naming ``strict`` would make their ``zip`` slower (noqa B905).
"""

import argparse
import gc
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import itemgetter

from meshaccel.grouping import Child, RowGrouper, Shape

CAPABILITIES = 10
AGENT_COLUMNS = ("id", *(f"agent_{n}" for n in range(14)))
CAPABILITY_COLUMNS = ("digest", *(f"capability_{n}" for n in range(6)))

KEYED = Shape(
    "agents",
    key=("id",),
    columns=AGENT_COLUMNS,
    children={"capabilities": Child(key=("digest",), columns=CAPABILITY_COLUMNS)},
)
KEYLESS = replace(
    KEYED,
    children={"capabilities": Child(key=(), present=("digest",), columns=CAPABILITY_COLUMNS)},
)

RowTuple = tuple[object, ...]
Grouped = list[dict[str, object]]
Group = Callable[[list[RowTuple]], Grouped]


def zip_no_dedup(rows: list[RowTuple]) -> Grouped:
    """Every row is a child: right only while one collection is joined."""
    agents: dict[object, dict[str, object]] = {}
    children: dict[object, list[dict[str, object]]] = {}
    width = len(AGENT_COLUMNS)
    for row in rows:
        key = row[0]
        found = children.get(key)
        if found is None:
            found = children[key] = []
            agents[key] = agent = dict(zip(AGENT_COLUMNS, row))  # noqa: B905
            agent["capabilities"] = found
        if row[width] is not None:
            found.append(dict(zip(CAPABILITY_COLUMNS, row[width:])))  # noqa: B905
    return list(agents.values())


def zip_dedup(rows: list[RowTuple]) -> Grouped:
    """As above, with the dedup by child key that ``RowGrouper`` does."""
    agents: dict[object, dict[str, object]] = {}
    children: dict[object, dict[object, dict[str, object]]] = {}
    width = len(AGENT_COLUMNS)
    for row in rows:
        key = row[0]
        found = children.get(key)
        if found is None:
            found = children[key] = {}
            agents[key] = dict(zip(AGENT_COLUMNS, row))  # noqa: B905
        digest = row[width]
        if digest is not None and digest not in found:
            found[digest] = dict(zip(CAPABILITY_COLUMNS, row[width:]))  # noqa: B905
    for key, agent in agents.items():
        agent["capabilities"] = list(children[key].values())
    return list(agents.values())


def display_no_dedup(rows: list[RowTuple]) -> Grouped:
    """Dict displays written out for this one query: the limit of what Python can do."""
    agents: dict[object, dict[str, object]] = {}
    children: dict[object, list[dict[str, object]]] = {}
    child_values = itemgetter(*range(len(AGENT_COLUMNS), len(AGENT_COLUMNS + CAPABILITY_COLUMNS)))
    for row in rows:
        key = row[0]
        found = children.get(key)
        if found is None:
            found = children[key] = []
            agents[key] = agent = dict(zip(AGENT_COLUMNS, row))  # noqa: B905
            agent["capabilities"] = found
        digest, c0, c1, c2, c3, c4, c5 = child_values(row)
        if digest is not None:
            found.append(
                {
                    "digest": digest,
                    "capability_0": c0,
                    "capability_1": c1,
                    "capability_2": c2,
                    "capability_3": c3,
                    "capability_4": c4,
                    "capability_5": c5,
                }
            )
    return list(agents.values())


@dataclass
class Contender:
    """A way to group, and how long it took in each round."""

    name: str
    group: Group
    seconds: list[float]


def fetch_rows(agents: int) -> list[RowTuple]:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE agents ({', '.join(AGENT_COLUMNS)})")
    connection.execute(f"CREATE TABLE capabilities (agent, {', '.join(CAPABILITY_COLUMNS)})")
    for agent in range(agents):
        values = (f"agent-{agent:08}", *(_value(agent, n) for n in range(14)))
        connection.execute(f"INSERT INTO agents VALUES ({', '.join('?' * 15)})", values)  # noqa: S608
        for n in range(CAPABILITIES):
            number = agent * CAPABILITIES + n
            row = (values[0], f"{number:032x}", *(_value(number, n) for n in range(6)))
            connection.execute(f"INSERT INTO capabilities VALUES ({', '.join('?' * 8)})", row)  # noqa: S608
    connection.execute("CREATE INDEX by_agent ON capabilities (agent)")
    columns = [f"a.{name}" for name in AGENT_COLUMNS] + [f"c.{name}" for name in CAPABILITY_COLUMNS]
    rows: list[RowTuple] = connection.execute(
        f"SELECT {', '.join(columns)} FROM agents a LEFT JOIN capabilities c ON c.agent = a.id"  # noqa: S608
    ).fetchall()
    connection.close()
    return rows


def _value(number: int, column: int) -> str | int | float | None:
    return (f"value {number} of column {column}", number, number / 7, None)[column % 4]


def measure(rows: list[RowTuple], rounds: int, *, collect: bool = True) -> list[Contender]:
    contenders = [
        Contender("RowGrouper", RowGrouper(KEYED).group, []),
        Contender("RowGrouper, child without key", RowGrouper(KEYLESS).group, []),
        Contender("dict(zip), no dedup", zip_no_dedup, []),
        Contender("dict(zip), dedup", zip_dedup, []),
        Contender("dict displays by hand, no dedup", display_no_dedup, []),
    ]
    expected = contenders[0].group(rows)
    assert all(contender.group(rows) == expected for contender in contenders)
    del expected
    for _ in range(rounds):
        for contender in contenders:
            gc.collect()
            if not collect:
                gc.disable()
            start = time.perf_counter()
            result = contender.group(rows)
            contender.seconds.append(time.perf_counter() - start)
            gc.enable()
            del result
    return contenders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-gc", dest="collect", action="store_false")
    options = parser.parse_args()
    for agents in options.agents:
        rows = fetch_rows(agents)
        contenders = measure(rows, options.rounds, collect=options.collect)
        native = contenders[0].seconds
        print(f"{agents} agents x {CAPABILITIES} capabilities, {len(rows)} rows")
        for contender in contenders:
            pairs = zip(contender.seconds, native, strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            microseconds = statistics.median(contender.seconds) / len(rows) * 1e6
            print(f"  {contender.name:<34}{microseconds:8.3f} us/row{ratio:8.2f}x")


if __name__ == "__main__":
    main()
