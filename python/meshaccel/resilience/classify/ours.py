"""The errors of meshaccel itself."""

from meshaccel.errors import (
    ConnectionPoolExhausted,
    DatabaseError,
    DatabaseInUseError,
    IncompatibleDatabaseError,
    MeshAccelError,
)
from meshaccel.resilience.classify.rules import (
    PERMANENT,
    SATURATED,
    UNREACHABLE,
    Cause,
    Rule,
)

RULES = (
    Rule(MeshAccelError, PERMANENT),
    # The pool tried to make connections all the while; nothing was sent.
    Rule(ConnectionPoolExhausted, SATURATED),
    # It promises that nothing was kept, and mostly says why.
    Rule(DatabaseError, UNREACHABLE, cause=Cause.FIRST),
    Rule(DatabaseInUseError, PERMANENT),
    Rule(IncompatibleDatabaseError, PERMANENT),
)
