"""Run the fault checks of tests/pool/faults.py against several pools, and print a table.

    python -m benches.pool_faults [--only ours ...] [--verbose]

Needs the packages of the extra ``bench``. Each check runs in a process of its own; one that does
not end within its deadline "hangs".
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pool.faults import CHECKS

ROOT = Path(__file__).parent.parent
DEADLINE_S = 12.0
SUBJECTS = {
    "ours": "tests.pool.subjects:OurPool",
    "list pool": "benches.pool_subjects:ListPool",
    "Queue": "benches.pool_subjects:QueuePool",
    "aiosqlitepool": "benches.pool_subjects:AiosqlitePool",
    "SQLAlchemy": "benches.pool_subjects:Sqlalchemy",
    "+ pre_ping": "benches.pool_subjects:SqlalchemyPrePing",
}


def verdict(subject: str, check: str, *, verbose: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "tests.pool.faults",
            subject,
            check,
            str(Path(folder) / "faults.db"),
        ]
        try:
            done = subprocess.run(
                command, cwd=ROOT, timeout=DEADLINE_S, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return "hangs"
    if verbose and done.returncode:
        print(done.stderr)
    return "FAIL" if done.returncode else "ok"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    parser.add_argument("--verbose", action="store_true", help="print the errors")
    options = parser.parse_args()
    print(f"{'':<24}" + "".join(f"{name:>15}" for name in options.only))
    passed = dict.fromkeys(options.only, 0)
    for check in CHECKS:
        line = f"{check.replace('_', ' '):<24}"
        for name in options.only:
            found = verdict(SUBJECTS[name], check, verbose=options.verbose)
            passed[name] += found == "ok"
            line += f"{found:>15}"
        print(line, flush=True)
    print(f"{'of ' + str(len(CHECKS)):<24}" + "".join(f"{n:>15}" for n in passed.values()))


if __name__ == "__main__":
    main()
