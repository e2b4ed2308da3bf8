"""From samples to tables, and to a file of all samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benches.provenance import provenance
from benches.rows.contender import Contender, Section
from benches.rows.dataset import CAPABILITIES
from benches.rows.goals import Verdict, verdicts
from benches.rows.loop_lag import Lag


@dataclass(frozen=True)
class Result:
    """Everything that was measured at one size."""

    agents: int
    sections: Mapping[str, Section]
    lags: Sequence[Lag]

    def table(self) -> str:
        """Return medians over the rounds; ratios are the medians of the rounds' ratios."""
        lines = [f"\n{self.agents} agents x {CAPABILITIES} capabilities"]
        for key, section in self.sections.items():
            lines += self._section(key, section)
        lines += self._lags()
        lines.append("\ngoals: by CPU time, by the clock")
        lines += map(str, verdicts(self.sections, self.lags))
        return "\n".join(lines)

    def verdicts(self) -> list[Verdict]:
        """Return what came of the goals."""
        return list(verdicts(self.sections, self.lags))

    def _section(self, key: str, section: Section) -> Iterator[str]:
        best = section.best
        yield f"\n{key}: {section.title}"
        yield f"  ratios: how many times as fast as {section.base!r}" + (
            f", and as {best.name!r}, the best in Python" if best else ""
        )
        columns = f"{'wall ms':>9}{'CPU ms':>9}{'us/cap.':>9}{'wall':>8}{'CPU':>8}"
        yield f"  {'':<42}{'queries':>8}{columns}" + (f"{'wall':>9}{'CPU':>8}" if best else "")
        for contender in section.contenders:
            yield self._line(contender, section[section.base], best)

    def _line(self, contender: Contender, base: Contender, best: Contender | None) -> str:
        children = self.agents * CAPABILITIES
        line = (
            f"  {contender.name:<42}{contender.queries or '':>8}"
            f"{contender.wall_s * 1e3:9.2f}{contender.cpu_s * 1e3:9.2f}"
            f"{contender.cpu_s / children * 1e6:9.2f}"
        )
        wall, cpu = contender.faster_than(base)
        line += f"{wall:7.2f}x{cpu:7.2f}x"
        if best is not None:
            wall, cpu = contender.faster_than(best)
            line += f"{wall:8.2f}x{cpu:7.2f}x"
        return line

    def _lags(self) -> Iterator[str]:
        yield "\nhow late a ticker of 1 ms is meanwhile"
        yield f"  {'':<60}{'max ms':>9}{'p99 ms':>9}"
        for lag in self.lags:
            yield f"  {lag.name:<60}{lag.max_s * 1e3:9.2f}{lag.p99_s * 1e3:9.2f}"


def write_json(path: Path, setting: Mapping[str, object], results: Sequence[Result]) -> None:
    """Write every sample, with what is needed to compare it to another day's."""
    report = {**provenance(), **setting, "results": [_plain(result) for result in results]}
    path.write_text(json.dumps(report, indent=1) + "\n")


def _plain(result: Result) -> dict[str, object]:
    sections = {
        key: {
            contender.name: {"queries": contender.queries, "samples": contender.samples}
            for contender in section.contenders
        }
        for key, section in result.sections.items()
    }
    return {
        "agents": result.agents,
        "sections": sections,
        "late_s": {lag.name: lag.late_s for lag in result.lags},
        "goals": [verdict._asdict() for verdict in result.verdicts()],
    }
