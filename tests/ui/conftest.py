"""A real browser on a real registry."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.http.client import Client, registry_on
from tests.service import Service
from tests.ui.visits import Visit, visiting

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own, as long as one module's tests take.

    No longer: while it is there, nobody else in this thread can run an event loop.
    """
    found = filter(None, map(shutil.which, EXECUTABLES))
    executable = next(found, None)
    if executable is None:
        missing = "the page at /ui is not tested: needs Chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def registry(server: Service, tmp_path: Path) -> Iterator[Client]:
    """An empty registry in which nothing happens by itself."""
    with registry_on(server, tmp_path / "registry.db") as client:
        yield client


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open the page of a registry, by default that of ``registry``; nothing may go wrong on it."""
    with ExitStack() as opened:

        def open_page(url: str | None = None, **options: object) -> Visit:
            if url is None:
                url = str(request.getfixturevalue("registry").http.base_url)
            return opened.enter_context(visiting(browser, url, **options))

        yield open_page
