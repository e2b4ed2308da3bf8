"""What a discovery client may be given for its registry."""

from typing import Protocol, runtime_checkable

from meshaccel.discovery.http_source import HttpSource
from meshaccel.discovery.protocol import ChangeSource
from meshaccel.resilience.middleware import ErrorHandlingMiddleware


@runtime_checkable
class HasFeed(Protocol):
    """An ``AgentRegistry`` in this process."""

    @property
    def feed(self) -> ChangeSource:
        """Tells what changed."""


def change_source(
    source: str | HasFeed | ChangeSource,
    errors: ErrorHandlingMiddleware | None,
    token: str | None,
) -> ChangeSource:
    """Return what answers the questions of a client."""
    if isinstance(source, str):
        return HttpSource(source, token=token, errors=errors)
    return source.feed if isinstance(source, HasFeed) else source
