"""What a visitor of the page sees, and what goes wrong meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Dialog, Locator, Page, expect

TIMEOUT_MS = 20_000
"""For whatever is waited for; a busy machine takes its time."""

VIEWS = ("overview", "agents", "capabilities", "wiring", "changes")


class Visit:
    """An open page. What it complains of is gathered in ``complaints``."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url.rstrip("/")
        self.complaints: list[str] = []
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda asked: self._note_foreign(asked.url))
        page.on("dialog", self._refuse)

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _refuse(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_foreign(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:")):
            self.complaints.append(f"asked for {url}")

    def view(self, name: str) -> Locator:
        """Go to a view as its link does; return what it shows."""
        self.page.get_by_role("link", name=name.capitalize(), exact=True).first.click()
        expect(self.page.locator("nav#views [aria-current]")).to_have_text(name.capitalize())
        return self.page.locator("main")

    def is_connected(self) -> None:
        """Wait until the page is at the registry's present."""
        expect(self.page.locator("#state")).to_have_text("connected")

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """Open the page of the registry at ``url``; afterwards there must be no complaint."""
    expect.set_options(timeout=TIMEOUT_MS)
    context = browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    try:
        visit = Visit(context.new_page(), url)
        visit.page.goto(f"{visit.url}/ui")
        visit.is_connected()
        yield visit
        assert visit.complaints == []
    finally:
        context.close()
