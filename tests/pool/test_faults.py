"""The fault matrix: each check in a process of its own, against ConnectionPool."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.pool.faults import CHECKS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("check", CHECKS)
def test_fault(check: str, tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.pool.faults",
            "tests.pool.subjects:OurPool",
            check,
            str(tmp_path / "faults.db"),
        ],
        cwd=ROOT,
        check=True,
        timeout=100,
    )
