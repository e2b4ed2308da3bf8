"""The knobs of a registry, with the defaults of upstream's."""

from msgspec import Struct


class FeedSettings(Struct, frozen=True, kw_only=True):
    """How changes are told to those who wait for them. Times are in seconds."""

    gather_s: float = 1.0
    """A reader who waits is answered no sooner after it asked, or was last told something: under
    constant change it is told once in this time, of everything, and not of each change."""
    bookmark_s: float = 30.0
    """How often a stream says that nothing happened."""
    rotate_s: float = 900.0
    """After about this time a stream ends, and its reader may find another registry."""
    max_wait_s: float = 60.0
    """The longest that a request may wait."""
    max_readers: int = 10_000
    """Requests and streams that wait at the same time."""
    max_selectors: int = 32
    """Selectors whose agents' hashes are kept; others are summed up for each answer."""
    answer_bytes: int = 4 * 1024 * 1024
    """An answer ends after so many bytes of documents, and the next one goes on."""


class RegistrySettings(Struct, frozen=True, kw_only=True):
    """Times are in seconds."""

    timeout_s: float = 20.0
    """Silence after which an agent is unhealthy."""
    check_interval_s: float = 10.0
    """How often silence is looked for."""
    retention_s: float = 3600.0
    """How long an unhealthy agent stays listed; 0 keeps it forever."""
    sweep_interval_s: float = 300.0
    """How often agents past retention are removed and the events are trimmed."""
    flush_interval_s: float = 1.0
    """How often signs of life are written; a crash loses at most so much of them."""
    startup_grace_s: float = 30.0
    """How long after a start agents may take to be heard again, if that is longer than the
    timeout: an SDK that found no registry waits up to 30 seconds between two attempts."""
    max_events: int = 100_000
    """Rows kept of the audit trail."""
    max_agents: int = 100_000
    """Agents, the unhealthy among them: no more can join. Who is known goes on."""
    feed: FeedSettings = FeedSettings()
