"""The SQL that a registry runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.connections import on_readers, on_writer
from tests.service import Service

from meshaccel.registry.service import AgentRegistry


@contextmanager
def statements(server: Service, *, writer: bool = False) -> Iterator[list[str]]:
    """Record the SQL that the registry's readers run, or its writer."""
    seen: list[str] = []

    async def trace(registry: AgentRegistry, on: Callable[[str], None] | None) -> None:
        reach = on_writer if writer else on_readers
        await reach(registry._database, lambda conn: conn.set_trace_callback(on))

    server.call(lambda registry: trace(registry, seen.append))
    try:
        yield seen
    finally:
        server.call(lambda registry: trace(registry, None))


def queries(seen: list[str]) -> list[str]:
    """Return the statements that are neither transaction brackets nor the pool's own."""
    return [sql for sql in seen if sql.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")]
