"""The SQL that a registry runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.service import Service

from meshaccel.registry.service import AgentRegistry


@contextmanager
def statements(server: Service, *, writer: bool = False) -> Iterator[list[str]]:
    """Record the SQL that the registry's readers run, or its writer."""
    seen: list[str] = []

    async def trace(registry: AgentRegistry, on: Callable[[str], None] | None) -> None:
        database = registry._database
        readers = (database._reader, database._long_reader)
        for connection in (database._writer,) if writer else readers:
            await connection.run(lambda conn: conn.set_trace_callback(on))

    server.call(lambda registry: trace(registry, seen.append))
    try:
        yield seen
    finally:
        server.call(lambda registry: trace(registry, None))


def queries(seen: list[str]) -> list[str]:
    """Return the statements that are no transaction brackets."""
    return [sql for sql in seen if sql.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK")]
