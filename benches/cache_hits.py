"""Hit ratios of caches on the traces of the tests."""

from collections.abc import Callable

from benches import cache_contenders as contenders
from benches.cache_contenders import Contender
from tests.cache import traces

MADE: tuple[Callable[[int], Contender], ...] = (
    contenders.meshaccel,
    contenders.cachetools_lru,
    contenders.moka,
    contenders.theine_tlfu,
)
SHARES = (0.01, 0.1)


def hit_ratio(contender: Contender, trace: list[str]) -> float:
    get, put, found = contender.get, contender.set, 0
    for key in trace:
        # theine answers with a value and whether it was found.
        if get(key) in (None, (None, False)):
            put(key, key)
        else:
            found += 1
    return found / len(trace)


def print_hits(requests: int | None) -> None:
    names = [make(10).name for make in MADE]
    print("\nHits in percent, by share of the distinct keys that fit in")
    print(f"  {'':<24}" + "".join(f"{name:>16}" for name in names))
    for name, trace in [*traces.recorded(requests), *traces.generated(200_000).items()]:
        for share in SHARES:
            size = int(len(set(trace)) * share)
            ratios = [hit_ratio(make(size), trace) for make in MADE]
            cells = "".join(f"{ratio * 100:16.1f}" for ratio in ratios)
            print(f"  {name:<18}{share:>6.0%}" + cells)
