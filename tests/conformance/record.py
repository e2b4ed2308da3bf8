"""Record every `answer` anew from upstream's registry binary. Never run by the tests.

Run it from the root of the repository:

    python -m tests.conformance.record --registry /path/to/mcp-mesh-registry [--only tags]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from .answers import Json
from .layout import layout
from .replay import REQUEST_TIMEOUT_SECONDS, SCENARIOS, Step, ask

START_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.02
#: Long enough that no agent of a scenario is ever marked unhealthy for being silent.
SILENCE_SECONDS = 3600


@contextmanager
def fresh_registry(binary: Path) -> Iterator[str]:
    """Start the registry with an empty database on a free loopback port; yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "DATABASE_URL": str(Path(folder) / "registry.db"),
            "MCP_MESH_LOG_LEVEL": "ERROR",
            "DEFAULT_TIMEOUT_THRESHOLD": str(SILENCE_SECONDS),
            "GIN_MODE": "release",
        }
        process = subprocess.Popen(
            [binary],
            env=os.environ | settings,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_up(url, process)
            yield url
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url + "/health", trust_env=False)
        except httpx.TransportError:
            time.sleep(POLL_SECONDS)
        else:
            return
    message = "the registry did not start"
    raise RuntimeError(message)


def answers_of(binary: Path, steps: list[dict[str, Json]]) -> list[Json]:
    """Answers of a freshly started registry, in the order of the steps."""
    with (
        fresh_registry(binary) as url,
        httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False) as client,
    ):
        return [ask(client, Step(step)) for step in steps]


def with_answer(step: dict[str, Json], answer: Json) -> dict[str, Json]:
    """The step with its answer; `expected` and `why`, if any, come last."""
    noted = {key: step[key] for key in ("expected", "why") if key in step}
    request = {key: item for key, item in step.items() if key not in ("answer", *noted)}
    return request | {"answer": answer} | noted


def record(file: Path, binary: Path, repeat: int) -> list[str]:
    """Record one file; name the steps that upstream does not always answer alike."""
    varying = []
    scenarios = json.loads(file.read_text(encoding="utf-8"))
    for scenario in scenarios:
        steps = scenario["steps"]
        runs = [answers_of(binary, steps) for _ in range(repeat)]
        for number, answers in enumerate(zip(*runs, strict=True), start=1):
            if any(answer != answers[0] for answer in answers):
                varying.append(f"{file.stem}/{scenario['name']} step {number}")
        scenario["steps"] = [with_answer(*pair) for pair in zip(steps, runs[0], strict=True)]
    file.write_text(layout(scenarios) + "\n", encoding="utf-8")
    return varying


def main() -> int:
    """Record all files, or those asked for."""
    parser = argparse.ArgumentParser(description="Record upstream's answers anew.")
    parser.add_argument("--registry", type=Path, required=True, help="the mcp-mesh-registry binary")
    parser.add_argument("--only", default="", help="only files whose name starts so")
    parser.add_argument("--repeat", type=int, default=2, help="runs that have to agree")
    options = parser.parse_args()
    varying = []
    for file in sorted(SCENARIOS.glob(f"{options.only}*.json")):
        varying += record(file, options.registry.resolve(), options.repeat)
        sys.stdout.write(f"{file.name} recorded\n")
    sys.stderr.write("".join(f"upstream's answer varies: {step}\n" for step in varying))
    return 1 if varying else 0


if __name__ == "__main__":
    sys.exit(main())
