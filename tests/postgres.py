"""One Postgres server for all tests that want one: a real one, from a wheel."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server and give its address, a socket next to its data: it listens on no port.

    If root runs the tests, another user runs the server. Hence no directory of pytest's: any
    session of pytest takes the rights of others from those of all.
    """
    with TemporaryDirectory(prefix="meshaccel-postgres-") as directory:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it notes that XDG_RUNTIME_DIR is not set
            from pgserver.postgres_server import get_server  # noqa: PLC0415

            server = get_server(directory, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
