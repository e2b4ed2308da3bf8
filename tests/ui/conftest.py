"""A real browser on a real registry."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.http.client import Client, VirtualClock, registry_on
from tests.service import Service
from tests.ui.chromium import chromium, executable
from tests.ui.visits import Visit, visiting

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, as long as one module's tests take.

    No longer: while it is there, nobody else in this thread can run an event loop.
    """
    if executable() is None:
        missing = "the page at /ui is not tested: needs Chromium (Debian: apt-get install chromium)"
        if os.environ.get("MESHACCEL_REQUIRE_CHROMIUM"):
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium() as launched:
        yield launched


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of ``registry``."""
    return VirtualClock()


@pytest.fixture
def registry(server: Service, tmp_path: Path, clock: VirtualClock) -> Iterator[Client]:
    """An empty registry in which nothing happens by itself."""
    with registry_on(server, tmp_path / "registry.db", clock=clock) as client:
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
