"""How many files, and so connections, the system lets this process have open."""

import sys
from contextlib import suppress

UNKNOWN = 1_000_000
"""Where the system does not say."""


def file_limit() -> int:
    """Raise the limit as far as is allowed, and return it. Most systems begin with a low one."""
    if sys.platform == "win32":
        return UNKNOWN
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems take no more than a number of their own, whatever the hard limit says.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNKNOWN if soft == resource.RLIM_INFINITY else soft
