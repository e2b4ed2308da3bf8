"""The knobs of a registry, with the defaults of upstream's."""

from msgspec import Struct


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
