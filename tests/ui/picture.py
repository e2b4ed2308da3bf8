"""Make the pictures of the page: ``python -m tests.ui.picture docs``, two minutes.

A registry runs, the agents of ``fleet.py`` send heartbeats to it, and one of them leaves.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import quote

import httpx
from playwright.sync_api import Page
from tests.integration.processes import Registry
from tests.ui.chromium import chromium
from tests.ui.fleet import Json, declarations
from tests.ui.visits import Visit, visiting

ROUNDS = 100
"""Of heartbeats, one a second."""


class Fleet(NamedTuple):
    """Agents that live by heartbeats."""

    http: httpx.Client
    agents: list[Json]

    def beat(self) -> None:
        """Give a sign of life for each agent, and register those that are told to."""
        for agent in self.agents:
            path = f"/heartbeat/{quote(agent['agent_id'])}"
            if self.http.head(path).status_code != httpx.codes.OK:
                self.http.post("/heartbeat", json=agent).raise_for_status()

    def lose(self, name: str) -> None:
        """Let the first replica of a service leave."""
        leaving = next(agent for agent in self.agents if agent["name"] == name)
        self.agents.remove(leaving)
        self.http.delete(f"/agents/{leaving['agent_id']}").raise_for_status()


@contextmanager
def running_registry() -> Iterator[str]:
    """Run a registry of its own; yield its URL."""
    with TemporaryDirectory() as directory:
        registry = Registry(Path(directory), env={"DEFAULT_TIMEOUT_THRESHOLD": "60"})
        registry.start()
        try:
            yield registry.url
        finally:
            registry.kill()


def main(folder: Path) -> None:
    """Write ``ui.png`` and ``ui_wiring.png``."""
    with (
        running_registry() as url,
        httpx.Client(base_url=url, trust_env=False) as http,
        chromium() as browser,
        visiting(browser, url, viewport={"width": 1200, "height": 760}) as visit,
    ):
        fleet = Fleet(http, declarations())
        for turn in range(ROUNDS):
            fleet.beat()
            if turn == ROUNDS - 5:
                fleet.lose("translator")
            visit.page.wait_for_timeout(1000)
        take(visit.page, folder / "ui.png")
        show_wiring(visit)
        take(visit.page, folder / "ui_wiring.png")


def show_wiring(visit: Visit) -> None:
    """Go to the graph and choose a node."""
    visit.view("wiring")
    visit.page.locator(".node", has_text="trip-planner").click()


def take(page: Page, path: Path) -> None:
    """Write what is seen."""
    page.screenshot(path=path)
    print(f"{path}: {path.stat().st_size:,} bytes")  # noqa: T201  a program's output


if __name__ == "__main__":
    main(Path(sys.argv[1]))
