"""Soak a registry: ``MESHACCEL_SOAK_S=600 python -m tests.soak [report.json]``."""

import os
import sys
from pathlib import Path
from statistics import median

import msgspec
from tests.soak.gauges import BOUNDS, ENOUGH, MB, gained
from tests.soak.run import Plan, Report, soak


def table(report: Report) -> str:
    """What came of it, for people."""
    lines = [
        f"{report.plan.pace.agents:,} agents for {report.plan.seconds:.0f} s",
        f"  {'checks':<28}{report.checks:>12,}",
        *(f"  {name:<28}{count:>12,}" for name, count in sorted(report.counts.items())),
        *(f"  fault: {name:<21}{count:>12,}" for name, count in sorted(report.faults.items())),
        f"  {'lost registrations':<28}{len(report.lost):>12,}",
        f"  {'stale answers':<28}{len(report.stale):>12,}",
        f"  {'unneeded signals':<28}{len(report.unneeded):>12,}",
        f"  {'descriptors left open':<28}{report.left_open:>12,}",
    ]
    measured = report.measured
    if len(measured) < ENOUGH:
        lines.append("  too short to tell whether it grows")
    else:
        span = (measured[-1].at_s - measured[0].at_s) / 60
        for bound in BOUNDS:
            scale = MB if bound.of in {"uss", "rss"} else 1
            middle = median(getattr(each, bound.of) for each in measured) / scale
            gain = gained(measured, bound.of) / scale
            lines.append(f"  {bound.of:<28}{middle:>12,.1f}  {gain:+.2f} in {span:.1f} min")
    return "\n".join([*lines, *(f"FAILED {failure}" for failure in report.failures[:40])])


def main() -> int:
    """Run a soak; return the exit code."""
    report = soak(Plan(seconds=float(os.environ.get("MESHACCEL_SOAK_S", "600"))))
    sys.stdout.write(table(report) + "\n")
    if sys.argv[1:]:
        Path(sys.argv[1]).write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
