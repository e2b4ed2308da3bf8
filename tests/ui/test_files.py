"""The page's files over HTTP, and what must not stand in them."""

import re

import httpx
import pytest
from tests.http.client import Client

from meshaccel.http.ui.files import POLICY, page_files

SCRIPTS = sorted(name for name in page_files() if name.endswith(".js"))

FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|eval\(|Function\(|javascript:"
    r"|https?://(?!www\.w3\.org/2000/svg)|setAttribute\(\"(on|style)"
)
"""Ways from text to markup or code, and addresses of others."""


def test_the_page_has_an_address_with_a_slash(registry: Client) -> None:
    """Its addresses are relative to it; the way there is, too, for proxies that add a prefix."""
    for method in ("GET", "HEAD"):
        answer = registry.http.request(method, "/ui", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "ui/")
    assert registry.http.get("/ui", follow_redirects=True).url.path == "/ui/"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/ui/", "text/html; charset=utf-8"),
        ("/ui/index.html", "text/html; charset=utf-8"),
        ("/ui/base.css", "text/css; charset=utf-8"),
        ("/ui/main.js", "text/javascript; charset=utf-8"),
        ("/ui/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_is_served_with_its_type_and_policy(
    registry: Client, path: str, content_type: str
) -> None:
    answer = registry.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["content-security-policy"] == POLICY
    assert "'unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    head = registry.http.head(path)
    assert head.content == b""
    assert head.headers["content-length"] == str(len(answer.content))
    assert head.headers["etag"] == answer.headers["etag"]


def test_what_has_not_changed_is_not_sent_again(registry: Client) -> None:
    """A browser asks each time, and is told in a few bytes; a proxy may have made the tag weak."""
    etag = registry.http.get("/ui/main.js").headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = registry.http.get("/ui/main.js", headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["content-security-policy"] == POLICY
    answer = registry.http.get("/ui/main.js", headers={"if-none-match": '"other"'})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/ui/nothing.js", "/ui/..%2ffiles.py", "/ui/%2e%2e/files.py", "/ui/a/b", "/ui//"]
)
def test_there_is_nothing_else(registry: Client, path: str) -> None:
    answer = registry.http.send(registry.http.build_request("GET", httpx.URL(path)))
    assert answer.status_code == 404
    assert "error" in answer.json()


def test_every_file_that_is_named_is_there() -> None:
    """A missing module would stop the page only where it is opened."""
    files = page_files()
    for name in SCRIPTS:
        imported = re.findall(r'from "\./([^"]+)"', files[name].body.decode())
        assert set(imported) <= set(files), name
    named = re.findall(r'(?:href|src)="([^"#]+)"', files["index.html"].body.decode())
    assert {"main.js", "base.css", "views.css", "icon.svg"} == set(named)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    found = FORBIDDEN.search(page_files()[name].body.decode())
    assert found is None, found
