"""The page at ``/ui`` in a browser, against a registry that runs."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from playwright.sync_api import Route, expect
from tests.http.client import QUIET, Client, VirtualClock, tool
from tests.integration.processes import Registry, request
from tests.service import Service
from tests.ui.conftest import Open
from tests.ui.prefix import behind_prefix
from tests.ui.visits import VIEWS

from meshaccel import AgentRegistry
from meshaccel.http.auth import Gate
from meshaccel.http.tokens import TokenFile
from meshaccel.registry.registration import Declaration

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE = {
    "agent_id": MARKUP,
    "name": f"{MARKUP}\u202egnp.exe\x00",
    "description": f"{MARKUP}\n</p><style>*{{display:none}}</style>{{{{7*7}}}} " + "d" * 10_000,
    "namespace": "javascript:alert(3)",
    "version": MARKUP,
    "endpoint": "javascript:alert(4)",
    "tags": [MARKUP],
    "labels": {MARKUP: MARKUP, "l" * 10_000: "v" * 10_000},
    "source": MARKUP,
    "capabilities": [
        {"name": MARKUP, "description": MARKUP, "input_schema": {"title": MARKUP}},
        {"name": "javascript:alert(5)", "version": MARKUP, "tags": [MARKUP]},
    ],
}
LONG = {"agent_id": "n" * 253, "name": "n" * 10_000, "capabilities": [{"name": "c" * 10_000}]}


def test_it_shows_a_registered_agent(registry: Client, visit: Open) -> None:
    """Who registered is in the table, and a click shows all of it."""
    described = tool("weather", description="Tells the weather.", inputSchema={"type": "object"})
    registry.post("sky-1", described, name="sky", description="Looks up.")
    page = visit()
    expect(page.page.locator("#about")).to_contain_text("1 of 1 agent healthy")
    agents = page.view("agents")
    expect(agents.locator("tbody tr")).to_have_count(1)
    expect(agents).to_contain_text("http://sky-1:80")
    agents.get_by_role("link", name="sky").click()
    for text in ("Looks up.", "http://sky-1:80", "healthy", "weather", "ago"):
        expect(agents).to_contain_text(text)
    agents.locator("summary").click()
    expect(agents.locator("pre")).to_contain_text('"type": "object"')
    page.view("capabilities")
    expect(agents.locator("tbody tr")).to_contain_text("weather")


def test_hostile_text_is_only_text(registry: Client, visit: Open) -> None:
    """Markup, addresses, text that turns around and enormous names run nothing and ask nobody."""
    for record in (HOSTILE, LONG):
        path = f"/agents/{quote(str(record['agent_id']), safe='')}"
        registry.http.put(path, json=record).raise_for_status()
    asks = tool("use", MARKUP, "u" * 10_000) | {"function_name": MARKUP}
    registry.post("asks", asks, http_host=MARKUP)
    page = visit(viewport={"width": 360, "height": 740})
    for name in VIEWS:
        main = page.view(name)
        assert page.overflow() == 0, name
    for agent in ("asks", str(LONG["agent_id"]), MARKUP):
        main = page.view("agents")
        main.locator(f"tr[data-agent={json.dumps(agent)}]").get_by_role("link").click()
        expect(main.locator("dl").first).to_contain_text(agent)
        for summary in main.locator("summary").all():
            summary.click()
        assert page.overflow() == 0, agent
    # The last one is the worst: its text is there, and what is not seen in it is.
    expect(main).to_contain_text(f"{MARKUP}\\u{{202e}}gnp.exe")
    expect(main.locator("pre").first).to_contain_text(MARKUP)
    expect(main.locator("img, script, style, iframe, [onerror]")).to_have_count(0)
    links = [link.get_attribute("href") or "" for link in page.page.locator("a[href]").all()]
    assert all(link.startswith("#") for link in links), links


def test_changes_show_without_a_reload(
    server: Service, registry: Client, clock: VirtualClock, visit: Open
) -> None:
    """Agents that come, leave and are removed are shown so at once."""
    page = visit()
    agents = page.view("agents")
    expect(agents).to_contain_text("No agents yet.")
    registry.post("late", tool("cap"))
    expect(agents.locator("tbody")).to_contain_text("http://late:80")
    registry.delete("late")
    expect(agents.locator("tbody")).to_contain_text("unhealthy")
    clock.seconds += 4000  # more than an agent that left stays listed
    assert server.call(lambda registry: registry._liveness.sweep()) == 1
    expect(agents).to_contain_text("No agents yet.")
    log = page.view("changes").get_by_role("log")
    expect(log.locator("li", has_text="late")).to_contain_text(["removed", "unhealthy", "added"])


def test_the_graph_shows_who_is_wired_to_whom(registry: Client, visit: Open) -> None:
    """An edge leads from a consumer to its provider, also if it was wired while one looks."""
    registry.post("asks", tool("use", "cap", "nowhere"), name="asks")
    page = visit()
    page.view("wiring")
    edges = page.page.locator(".graph .edge")
    expect(page.page.locator(".edge.unmet")).to_have_count(2)
    registry.post("serves", tool("cap"), name="serves")
    registry.post("asks", tool("use", "cap", "nowhere"), name="asks")
    wired = page.page.locator('.edge[data-from$=" asks"][data-to$=" serves"]')
    expect(wired).to_have_count(1)
    expect(edges).to_have_count(2)
    # By keyboard: the node says what it is wired to, and the edge stands out.
    node = page.page.locator(".node", has_text="serves")
    node.focus()
    page.page.keyboard.press("Enter")
    expect(page.page.locator(".about")).to_contain_text("asks")
    expect(wired).to_have_class("edge near")
    expect(node).to_have_attribute("aria-pressed", "true")


def test_the_charts_have_points(registry: Client, visit: Open) -> None:
    """The figures are asked for and drawn."""
    registry.post("a", tool("cap"))
    page = visit()
    chart = page.page.locator("figure", has_text="Agents")
    expect(chart.locator("strong")).to_have_text("1 / 1")
    lines = [line.get_attribute("d") or "" for line in chart.locator("path.series").all()]
    assert all(line.startswith("M0.0 ") for line in lines), lines
    assert len(lines) == 2
    expect(page.page.locator("table", has_text="/heartbeat")).to_have_count(1)


def test_it_outlives_the_registry(process: Registry, visit: Open) -> None:
    """While the registry is away the page says so and shows what it knew; then it goes on."""
    register(process, "before")
    page = visit(process.url)
    agents = page.view("agents")
    process.kill()
    state = page.page.locator("#state")
    expect(state).to_have_text("reconnecting")
    expect(agents.locator("tbody")).to_contain_text("before")
    process.start()
    page.is_connected()
    register(process, "after")
    expect(agents.locator("tbody")).to_contain_text("after")
    # That nobody answered is no secret: the browser says so for each attempt.
    assert all("ERR_" in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


def test_a_phone_does_not_scroll_sideways(registry: Client, visit: Open) -> None:
    """All views fit into 360 pixels."""
    registry.post("serves-with-a-name-that-is-rather-long", tool("a_capability_of_some_length"))
    registry.post("asks", tool("use", "a_capability_of_some_length", "another_that_nobody_has"))
    page = visit(**PHONE, color_scheme="dark")
    for name in VIEWS:
        page.view(name)
        expect(page.page.locator("main")).to_contain_text("asks")
        assert page.overflow() == 0, name


def test_it_works_behind_a_proxy_that_adds_a_prefix(
    server: Service, registry: Client, visit: Open
) -> None:
    """All addresses are relative to the page."""
    registry.post("a", tool("cap"))
    with behind_prefix(server, "/mesh") as url:
        page = visit(url)
        agents = page.view("agents")
        expect(agents.locator("tbody tr")).to_have_count(1)
        registry.post("b", tool("cap"))
        expect(agents.locator("tbody tr")).to_have_count(2)
        page.page.close()  # or its stream holds up the proxy's end


@pytest.mark.usefixtures("registry")
def test_streams_that_end_at_once_are_no_storm(visit: Open) -> None:
    """As from a proxy that passes no streams on: the page asks less and less often."""
    page = visit()
    streams: list[str] = []

    def end(route: Route) -> None:
        streams.append(route.request.url)
        route.fulfill(content_type="text/event-stream", body=": nothing\n\n")

    page.page.route("**/changes?*", end)
    page.page.reload()
    expect(page.page.locator("#state")).to_have_text("reconnecting")
    assert len(streams) < 10
    page.page.unroute("**/changes?*")
    page.is_connected()


@pytest.mark.usefixtures("registry")
def test_a_large_fleet_is_shown_in_parts(server: Service, visit: Open) -> None:
    """A table has a page of agents at a time, and the graph the services with the most wires."""
    services = 350
    server.call(lambda registry: register_chain(registry, services))
    page = visit()
    agents = page.view("agents")
    expect(agents.locator("tbody tr")).to_have_count(50)
    expect(agents.get_by_role("navigation")).to_contain_text("1 to 50 of 350 agents")
    agents.get_by_role("button", name="Next").click()
    expect(agents.get_by_role("navigation")).to_contain_text("51 to 100 of 350 agents")
    agents.get_by_role("searchbox").fill("s123")
    expect(agents.locator("tbody tr")).to_have_count(1)
    page.view("wiring")
    expect(page.page.locator(".graph .node")).to_have_count(300)
    page.page.get_by_role("searchbox").fill("s200")
    expect(page.page.locator(".node[aria-pressed=true]")).to_have_text("s200s200")
    expect(page.page.locator(".about")).to_contain_text("s199")
    # The end of the chain needs what nobody has, which is a node, too.
    expect(page.page.locator(".tools .note")).to_contain_text("51 others are not")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Registry]:
    """A registry in a process of its own, which can be killed and started again."""
    registry = Registry(tmp_path)
    registry.start()
    yield registry
    registry.kill()


def register(registry: Registry, agent_id: str) -> None:
    body = f'{{"agent_id": "{agent_id}"}}'.encode()
    assert request("POST", f"{registry.url}/heartbeat", body).status == 200


async def register_chain(registry: AgentRegistry, length: int) -> None:
    """Register services of which each needs the next."""
    for at in reversed(range(length)):
        declared = {"agent_id": f"s{at:03}", "tools": [tool(f"c{at}", f"c{at + 1}")]}
        await registry.register(msgspec.convert(declared, Declaration))
        await asyncio.sleep(0)


def test_who_reads_with_a_token_has_the_page_too(
    server: Service, tmp_path: Path, visit: Open
) -> None:
    """The browser asks for a name, which may be any, and a password, which is the token."""
    tokens = tmp_path / "tokens"
    tokens.write_text("token-0123456789abcdef\n")
    tokens.chmod(0o600)
    gate = Gate(write_tokens=TokenFile(tokens), read_tokens=TokenFile(tokens))
    known = {"username": "anyone", "password": "token-0123456789abcdef"}
    with server.open(tmp_path / "registry.db", settings=QUIET, gate=gate):
        page = visit(server.url, http_credentials=known)
        expect(page.page.locator("#about")).to_contain_text("0 of 0 agents healthy")
