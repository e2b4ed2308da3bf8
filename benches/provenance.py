"""Where and on what a benchmark ran: what is needed to compare its figures to another day's."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path


def provenance() -> dict[str, object]:
    """Return the time, the machine and the commit."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted": _git("status", "--porcelain", "--untracked-files=no").splitlines(),
    }


def _machine() -> dict[str, object]:
    cpuinfo = Path("/proc/cpuinfo")
    cpus = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else ())
        if line.startswith("model name")
    ]
    return {
        "cpu": cpus[0] if cpus else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip()
