"""From bursts to figures: samples, the table, the raw results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benches.provenance import provenance


@dataclass(frozen=True)
class Sample:
    """One burst of one call at one registry."""

    requests: int
    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    answer_bytes: int

    @classmethod
    def of(cls, cpu_s: float, wall_s: float, latencies: list[float], sizes: list[int]) -> Sample:
        """Work out the figures per request from the totals of a burst."""
        count, ordered = len(latencies), sorted(latencies)
        return cls(
            requests=count,
            cpu_us=cpu_s / count * 1e6,
            rate=count / wall_s,
            p50_ms=ordered[count // 2] * 1e3,
            p99_ms=ordered[min(count - 1, count * 99 // 100)] * 1e3,
            answer_bytes=round(median(sizes)),
        )


@dataclass(frozen=True)
class FleetResult:
    """All samples at one size of the fleet, by call and registry, in order of rounds."""

    agents: int
    samples: Mapping[str, Mapping[str, Sequence[Sample]]]
    resident_mb: Mapping[str, float]

    def table(self) -> str:
        """Return medians over the rounds, and ratios if there are two registries."""
        names = list(self.resident_mb)
        memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in self.resident_mb.items())
        lines = [f"\n{self.agents} agents; resident at the end: {memory}"]
        columns = f"{'CPU us':>8}{'spread':>8}{'req/s':>7}{'p50 ms':>8}{'p99 ms':>8}{'bytes':>9}"
        lines.append(f"{'':18}" + "".join(f" {name:>9}{columns}" for name in names))
        lines.extend(self._line(call, names) for call in self.samples)
        return "\n".join(lines)

    def _line(self, call: str, names: Sequence[str]) -> str:
        found = [self.samples[call][name] for name in names]
        line = f"{call:18}" + "".join(f"{'':10}{_columns(samples)}" for samples in found)
        if len(found) == 2:
            pairs = list(zip(*found, strict=True))
            cpu = median(theirs.cpu_us / ours.cpu_us for ours, theirs in pairs)
            rate = median(ours.rate / theirs.rate for ours, theirs in pairs)
            line += f"{cpu:8.1f}x CPU{rate:7.1f}x req/s"
        return line


def _columns(samples: Sequence[Sample]) -> str:
    cpu = [sample.cpu_us for sample in samples]
    spread = (max(cpu) - min(cpu)) / median(cpu)
    return (
        f"{median(cpu):8.0f}{spread:8.0%}{median(s.rate for s in samples):7.0f}"
        f"{median(s.p50_ms for s in samples):8.2f}{median(s.p99_ms for s in samples):8.2f}"
        f"{median(s.answer_bytes for s in samples):9.0f}"
    )


def write_json(
    path: Path, versions: Mapping[str, str], results: Sequence[FleetResult], wall_s: float
) -> None:
    """Write every sample, with what is needed to compare it to another day's."""
    report = {
        **provenance(),
        "versions": versions,
        "wall_s": round(wall_s, 1),
        "results": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(report, indent=1) + "\n")
