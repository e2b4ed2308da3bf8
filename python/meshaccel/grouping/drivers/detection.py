"""Whose a connection is, told without importing a driver that may not be installed."""


def is_one_of(conn: object, package: str, *names: str) -> bool:
    """Whether the connection's class, or one it extends, is a package's class of such a name."""
    return any(
        kind.__module__.partition(".")[0] == package and kind.__name__ in names
        for kind in type(conn).__mro__
    )
