"""An agent that asks whoever offers `forecast`, and follows a registry to know who that is.

    python examples/discovery_in_an_agent.py http://127.0.0.1:8000

Type a city a line. The registry is told of once, then only of changes. While it is away the agent
goes on with what it knows, also when it is started then: that outlives it in a file.
"""

import asyncio
import sys
from pathlib import Path

import httpx

from meshaccel import IncrementalServiceDiscovery, KnownAgent, RegistryUnavailableError

CAPABILITY = "forecast"


class NobodyError(LookupError):
    """Nobody who offers the capability answers."""


class Forecasts:
    """Calls the providers of a capability in turn; one that does not answer is passed over."""

    def __init__(self, discovery: IncrementalServiceDiscovery, http: httpx.AsyncClient) -> None:
        self._discovery = discovery
        self._http = http
        self._calls = 0

    def providers(self) -> tuple[KnownAgent, ...]:
        """Return who offers it, the one whose turn it is first."""
        offering = self._discovery.by_capability(CAPABILITY)  # a look into a dict
        self._calls += 1
        turn = self._calls % max(1, len(offering))
        return offering[turn:] + offering[:turn]

    async def ask(self, city: str) -> str:
        """Return the forecast for a city.

        Raises:
            NobodyError: there is no provider, or none answers.
        """
        for provider in self.providers():
            try:
                answer = await self._http.get(f"{provider.endpoint}/{CAPABILITY}/{city}")
            except httpx.TransportError:
                continue  # the registry will find out as well, and tell
            return f"{provider.id}: {answer.text}"
        raise NobodyError(CAPABILITY)


async def follow(discovery: IncrementalServiceDiscovery) -> None:
    """Keep what is known up to date, over restarts of the registry, and say what changes."""
    async for change in discovery.watch():
        print(f"{change.kind}: {change.agent.id}", flush=True)


async def main(registry: str, state: Path) -> None:
    """Answer lines until there are no more."""
    selector = f"capability={CAPABILITY}"
    async with (
        IncrementalServiceDiscovery(registry, selector=selector, state=state) as discovery,
        httpx.AsyncClient(timeout=20.0) as http,
        asyncio.TaskGroup() as group,
    ):
        print(f"known from before: {', '.join(discovery.agents) or 'nobody'}", flush=True)
        try:
            await discovery.refresh()
        except RegistryUnavailableError as error:
            print(f"going on without the registry: {error}", flush=True)
        following = group.create_task(follow(discovery))
        forecasts = Forecasts(discovery, http)
        while city := (await asyncio.to_thread(sys.stdin.readline)).strip():
            try:
                print(await forecasts.ask(city), flush=True)
            except NobodyError:
                print("nobody to ask", flush=True)
        following.cancel()


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "agents.state")))  # noqa: PLR2004
