"""Compare what the policies for JSON columns cost with decoding each document by a fast library.

    python -m benches.json_documents [--rows 10000] [--rounds 11] [--no-gc] [--catalogue FILE]

Rows of (id, document) become records, as bytes at the end where the table says so. The documents
are JSON schemas of tools of 300-2,000 bytes: made up, or those of a catalogue of real servers
(one JSON object a line with ``capabilities`` that have an ``input_schema``). They come in two
ways: 60 distinct ones that repeat, as in a fleet of replicas, and each one different.

All contenders make the same records from the same rows, in turns in one process, and the results
are checked equal. The table shows the median time of a row, and how many times faster than
``orjson.loads``, or ``orjson.dumps`` of decoded documents, each is (the median of the rounds'
ratios). Garbage collection hits whatever makes objects; --no-gc shows what is left without it.
"""

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from meshaccel.grouping import RowGrouper, Shape
from meshaccel.shape import JsonPolicy

DISTINCT = 60
SIZES = range(300, 2001)

Rows = list[tuple[int, str]]
Run = Callable[[Rows], Any]


def grouper(policy: JsonPolicy) -> RowGrouper:
    return RowGrouper(
        Shape("tools", key=("id",), columns=("id", "schema"), json={"schema": policy})
    )


def decoded_by(loads: Callable[[str], Any]) -> Run:
    return lambda rows: [{"id": key, "schema": loads(text)} for key, text in rows]


def decoded_once(rows: Rows) -> list[dict[str, Any]]:
    """What "shared" does, by hand: one object for all equal documents, though not read-only."""
    known: dict[str, Any] = {}
    records = []
    for key, text in rows:
        schema = known.get(text)
        if schema is None:
            schema = known[text] = orjson.loads(text)
        records.append({"id": key, "schema": schema})
    return records


def looked_at(rows: Rows) -> list[dict[str, Any]]:
    """Lazy documents, all of which are wanted after all."""
    records: list[dict[str, Any]] = LAZY.group(rows)
    for record in records:
        _ = record["schema"].value
    return records


def fragments(rows: Rows) -> bytes:
    """Stored text as it is: not validated, so one bad document breaks the response."""
    return orjson.dumps([{"id": key, "schema": orjson.Fragment(text)} for key, text in rows])


EAGER, SHARED, LAZY, RAW = grouper("eager"), grouper("shared"), grouper("lazy"), grouper("raw")

OBJECTS: dict[str, Run] = {
    "orjson.loads": decoded_by(orjson.loads),
    "msgspec": decoded_by(msgspec.json.Decoder().decode),
    "json.loads": decoded_by(json.loads),
    "orjson.loads, each text once": decoded_once,
    "RowGrouper eager": EAGER.group,
    "RowGrouper shared": SHARED.group,
    "RowGrouper lazy": LAZY.group,
    "RowGrouper lazy, then .value": looked_at,
}


def bytes_contenders(rows: Rows) -> dict[str, Run]:
    decoded = OBJECTS["orjson.loads"](rows)
    return {
        "orjson.dumps, already decoded": lambda _: orjson.dumps(decoded),
        "orjson.loads + dumps": lambda rows: orjson.dumps(OBJECTS["orjson.loads"](rows)),
        "orjson.Fragment, not validated": fragments,
        "RowGrouper.group_json": RAW.group_json,
    }


def made_up(count: int) -> Iterator[str]:
    """Schemas such as tools declare."""
    rng = random.Random(3)  # noqa: S311
    words = ("name", "path", "query", "limit", "cursor", "filter", "owner", "branch", "since")
    for number in range(count):
        properties = {
            f"{rng.choice(words)}_{rng.choice(words)}": {
                "type": rng.choice(("string", "integer", "boolean")),
                "description": f"The {' '.join(rng.choices(words, k=rng.randrange(3, 12)))}",
                **rng.choice(({}, {"default": None}, {"enum": ["asc", "desc"]}, {"minimum": 0})),
            }
            for _ in range(rng.randrange(3, 12))
        }
        required = list(properties)[: rng.randrange(3)]
        schema = {"type": "object", "properties": properties, "required": required, "$id": number}
        yield json.dumps(schema)


def of_catalogue(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            for capability in json.loads(line)["capabilities"]:
                yield json.dumps(capability["input_schema"], ensure_ascii=False)


def measure(contenders: dict[str, Run], rows: Rows, rounds: int, *, collect: bool) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            gc.collect()
            if not collect:
                gc.disable()
            start = time.perf_counter()
            result = run(rows)
            seconds[name].append(time.perf_counter() - start)
            gc.enable()
            del result
    base = next(iter(seconds.values()))
    for name, found in seconds.items():
        ratio = statistics.median(theirs / ours for theirs, ours in zip(base, found, strict=True))
        microseconds = statistics.median(found) / len(rows) * 1e6
        print(f"  {name:<32}{microseconds:8.3f} us/row{ratio:8.2f}x")


def compare(texts: list[str], options: argparse.Namespace) -> None:
    # Each row has a str of its own, as from a driver.
    rows = [(n, texts[n % len(texts)].encode().decode()) for n in range(options.rows)]
    size = sum(len(text) for _, text in rows) // len(rows)
    print(f"{len(rows)} rows, {len(set(texts))} distinct documents, {size} characters on average")
    expected = OBJECTS["orjson.loads"](rows)
    assert all(run(rows) == expected for run in OBJECTS.values())
    inlined = bytes_contenders(rows)
    assert all(orjson.loads(run(rows)) == expected for run in inlined.values())
    del expected
    for contenders in (OBJECTS, inlined):
        measure(contenders, rows, options.rounds, collect=options.collect)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-gc", dest="collect", action="store_false")
    parser.add_argument("--catalogue", type=Path)
    options = parser.parse_args()
    found = of_catalogue(options.catalogue) if options.catalogue else made_up(options.rows)
    texts = sorted({text for text in found if len(text) in SIZES})
    random.Random(1).shuffle(texts)  # noqa: S311
    compare(texts[:DISTINCT], options)
    options.rows = min(options.rows, len(texts))
    compare(texts, options)


if __name__ == "__main__":
    main()
