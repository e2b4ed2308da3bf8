"""Whatever the network, the disks and the database do: readers end up with what there is."""

import os
from collections import Counter

from tests.discovery import chaos
from tests.discovery.chaos import Chaos
from tests.discovery.readers import Faults

SEEDS = int(os.environ.get("MESHACCEL_DISCOVERY_SEEDS", "60"))

CALM = Faults(drop=0, delay=0, duplicate=0, stale=0, crash=0.05, torn=0, corrupt=0)
"""Nothing that could bring about a doubt."""


def test_everybody_converges() -> None:
    met: Counter[str] = Counter()
    resyncs: Counter[str] = Counter()
    for seed in range(SEEDS):
        outcome = chaos.run(seed, Faults(), Chaos())
        assert not outcome.diverged, f"seed {seed}: {outcome.diverged}"
        met += outcome.met
        resyncs += outcome.resyncs
    assert met.total() > 50 * SEEDS
    # Every way back was taken.
    assert set(resyncs) == {"epoch", "compacted", "future", "hash"}


def test_without_hashes() -> None:
    """The protocol itself loses nothing: the hash only finds what others spoiled."""
    for seed in range(SEEDS):
        outcome = chaos.run(seed, Faults(hashes=False, corrupt=0), Chaos())
        assert not outcome.diverged, f"seed {seed}: {outcome.diverged}"


def test_no_doubt_without_a_reason() -> None:
    """Loss, delays and crashes alone make nobody read everything again."""
    for seed in range(SEEDS // 2):
        outcome = chaos.run(seed, CALM, Chaos(compact=0, restore=0))
        assert not outcome.diverged, f"seed {seed}: {outcome.diverged}"
        assert not outcome.resyncs, f"seed {seed}: {outcome.resyncs}"
