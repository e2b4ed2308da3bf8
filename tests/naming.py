"""Names of test cases that are the same in every process."""


def named(value: object) -> str:
    """Return what ``repr`` says without the address, so that processes agree on a case's name."""
    return repr(value).split(" at 0x", 1)[0]
