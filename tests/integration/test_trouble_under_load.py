"""A registry under load loses its database's lock and its disk space in turn, and nothing else."""

import json
import os
import resource
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import pytest
from tests.http.test_database_trouble import locked
from tests.integration.processes import Registry, request, wait_for

LOADERS = 6


class Load:
    """Threads that register one new agent after the other, and remember what was answered."""

    def __init__(self, url: str) -> None:
        self.acknowledged: set[str] = set()
        self.codes: Counter[int] = Counter()
        self._url = url
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(LOADERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def count(self, code: int) -> int:
        """Return how often that was the answer so far."""
        with self._lock:
            return self.codes[code]

    def _run(self, loader: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            agent = f"l{loader}-{number}"
            tool = {"function_name": "f", "description": os.urandom(1000).hex()}
            body = json.dumps({"agent_id": agent, "tools": [tool]}).encode()
            with suppress(OSError):  # it was killed: no answer, no promise
                status = request("POST", f"{self._url}/heartbeat", body).status
                with self._lock:
                    self.codes[status] += 1
                    if status == 200:
                        self.acknowledged.add(agent)


def limit_files(registry: Registry, size: int) -> None:
    """Let the registry write no file beyond so many bytes, as if the disk were full."""
    _, hard = resource.prlimit(registry.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(registry.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux' prlimit")
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Through a short lock, a long one, a full disk, and in the end a kill -9."""
    path = tmp_path / "registry.db"
    registry = Registry(tmp_path, env={"DEFAULT_TIMEOUT_THRESHOLD": "600"})
    try:
        registry.start()
        with Load(registry.url) as load:
            wait_for("some load", lambda: load.count(200), lambda n: n > 50, [registry])

            (known, *_) = load.acknowledged
            begun = time.monotonic()
            with locked(path):
                before = load.count(200)
                assert registry.head(known) in (200, 202)  # reading goes on
            wait_for("the load goes on", lambda: load.count(200), lambda n: n > before, [registry])
            # A short lock costs nobody more than time; on a busy machine it is none.
            assert load.count(503) == 0 or time.monotonic() - begun > 4

            with locked(path):
                wait_for("a refusal", lambda: load.count(503), bool, [registry])
                assert registry.head(known) in (200, 202)
            before = load.count(200)
            wait_for("the load goes on", lambda: load.count(200), lambda n: n > before, [registry])

            refused = load.count(503)
            limit_files(registry, path.stat().st_size)
            wait_for("a refusal", lambda: load.count(503), lambda n: n > refused, [registry])
            assert registry.head(known) in (200, 202)
            limit_files(registry, resource.RLIM_INFINITY)
            before = load.count(200)
            wait_for("the load goes on", lambda: load.count(200), lambda n: n > before, [registry])
            registry.kill()
        assert set(load.codes) == {200, 503}
        with closing(sqlite3.connect(path)) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored = {row[0] for row in conn.execute("SELECT id FROM agents")}
        assert load.acknowledged <= stored
        assert len(load.acknowledged) > 100
    finally:
        registry.kill()
