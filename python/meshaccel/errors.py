"""Every exception that meshaccel raises on purpose.

::

    MeshAccelError
    ├── GroupingError (ValueError)     rows that do not fit their shape
    │   ├── RowTypeError               a row is no sequence of column values
    │   ├── RowWidthError              a row has too many or too few values
    │   ├── NullKeyError               a row without the key of its outermost record
    │   ├── UnhashableKeyError         a key value that can never be compared by hash
    │   ├── MissingColumnError         a row by name lacks a column
    │   ├── AmbiguousColumnError       a row by name has one name for two columns
    │   ├── InvalidJsonError           a JSON column holds something else
    │   ├── JsonValueError             a value that JSON cannot express
    │   ├── OrphanError                a child whose parent is not among the records
    │   ├── ReopenedGroupError         rows said to be ordered are not
    │   ├── TooManyRowsError           more rows than the reader allows
    │   └── StreamBusyError            a stream is used while it is at work
    ├── MetadataError                  a MetadataPool refuses something; it has not changed
    │   ├── MetadataTypeError (TypeError)          a value, or a key, of a type that has no place
    │   ├── MetadataDepthError (RecursionError)    nested too deeply, or within itself
    │   ├── InvalidMetadataJsonError (ValueError)  text that is no JSON
    │   ├── NoJsonFormError (ValueError)           a value that JSON cannot express
    │   ├── UnknownMetadataKeyError (KeyError)     a key of nothing, or released already
    │   └── PoolFull                               a limit would be exceeded
    ├── CacheError                     a cache cannot do what it was asked to
    │   ├── CacheNameError (TypeError)     a key or tag is not exactly str
    │   ├── CacheOptionError (ValueError)  an option is out of its range
    │   ├── ForeignFlightError (ValueError) a flight is that of another cache
    │   ├── SecondLevelError           the second level cannot be used now
    │   │   ├── StoreFullError         it has no room
    │   │   └── UnusableStoreError     its file is damaged, another program's, or newer
    │   ├── CodecError (ValueError)    a value has no payload, or a payload is not one of ours
    │   ├── FetchTimeoutError (TimeoutError) a value was not fetched in time
    │   ├── FetchCancelledError        fetching a value was cancelled from within
    │   └── NothingToRenewError (LookupError) there is no old value to go on using
    ├── DatabaseError                  the database cannot serve this request now
    │   ├── DatabaseReplacedError      the file is another one than the one that was opened
    │   └── IncompatibleDatabaseError  the file is not ours, or newer than this version
    ├── PoolError                      a connection pool cannot serve this request
    │   ├── ConnectionPoolExhausted (TimeoutError) no connection in time, or too many waiting
    │   ├── PoolClosedError            the pool is not open, or the connection was given back
    │   └── PoolMisuseError (RuntimeError)         used in another event loop or a forked process
    ├── ResilienceError                the error handling made no attempt, or cut one off
    │   ├── CircuitOpenError           the dependency is in trouble: nothing was sent
    │   ├── BulkheadFullError          too many calls at once: nothing was sent
    │   ├── DeadlineExceededError (TimeoutError)   the time was up before anything was sent
    │   ├── AttemptTimeoutError (TimeoutError)     an attempt took too long; it may have worked
    │   └── PolicyError (ValueError)   a policy, handler or call that cannot work
    ├── DiscoveryError                 a discovery client cannot go on; what it holds stays
    │   ├── RegistryUnavailableError   there is no answer now
    │   ├── InvalidReplyError          an answer that no registry gives
    │   └── DivergedError              what was sent never added up to what was said
    ├── TokenError (ValueError)        a token, or a file of tokens, that cannot be used
    ├── TooManyReadersError            the feed serves as many readers at once as it may
    ├── InvalidRequestError (ValueError)   malformed input: nothing was changed
    ├── RegistrationRejectedError      well-formed, but against the rules of the mesh
    └── UnknownAgentError (LookupError)
"""

from typing import Self


class MeshAccelError(Exception):
    """Base of every exception raised by meshaccel itself."""


class GroupingError(MeshAccelError, ValueError):
    """A row does not fit the shape it is grouped by.

    The subclasses about one row have its position among those given, from 0, as ``row``; a
    stream counts on from one ``feed`` to the next, for each level by itself. They keep what
    they were made of as ``args`` and word it in ``__str__``, so the native and the reference
    grouper share one wording and the errors pickle.
    """


class RowTypeError(GroupingError):
    """A row is not a sequence that can be indexed by column number."""

    def __init__(self, row: int, type_name: str) -> None:
        super().__init__(row, type_name)
        self.row = row
        self.type_name = type_name

    def __str__(self) -> str:
        return f"row {self.row}: expected a sequence of column values, got {self.type_name}"


class RowWidthError(GroupingError):
    """A row has another number of values than the shape has columns."""

    def __init__(self, row: int, got: int, expected: int) -> None:
        super().__init__(row, got, expected)
        self.row = row
        self.got = got
        self.expected = expected

    def __str__(self) -> str:
        return f"row {self.row}: got {self.got} values, the shape has {self.expected} columns"


class NullKeyError(GroupingError):
    """Every key column of the outermost record is NULL, so the row belongs to nothing."""

    def __init__(self, row: int, table: str) -> None:
        super().__init__(row, table)
        self.row = row
        self.table = table

    def __str__(self) -> str:
        return f"row {self.row}: the key of {self.table!r} is NULL"


class UnhashableKeyError(GroupingError):
    """A value in a key column has a type, such as list, that has no hash."""

    def __init__(self, row: int, column: str, type_name: str) -> None:
        super().__init__(row, column, type_name)
        self.row = row
        self.column = column
        self.type_name = type_name

    def __str__(self) -> str:
        return f"row {self.row}: key column {self.column!r} holds an unhashable {self.type_name}"


class MissingColumnError(GroupingError):
    """A row by name, such as a dict, has no value for a column of the shape."""

    def __init__(self, row: int, column: str) -> None:
        super().__init__(row, column)
        self.row = row
        self.column = column

    def __str__(self) -> str:
        return f"row {self.row}: no value for column {self.column!r}"


class AmbiguousColumnError(GroupingError):
    """A row by name has a value under a bare column name that several columns share."""

    def __init__(self, row: int, column: str) -> None:
        super().__init__(row, column)
        self.row = row
        self.column = column

    def __str__(self) -> str:
        return (
            f"row {self.row}: no value for column {self.column!r}, "
            "and without its path the name means several columns"
        )


class InvalidJsonError(GroupingError):
    """A JSON column holds no JSON document.

    ``column`` is its label, such as ``agents.config``, and ``key`` the key of its record.
    """

    def __init__(self, row: int, column: str, key: tuple[object, ...], reason: str) -> None:
        super().__init__(row, column, key, reason)
        self.row = row
        self.column = column
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"row {self.row}: column {self.column!r} of the record with key {self.key!r} "
            f"holds no JSON: {self.reason}"
        )


class JsonValueError(GroupingError):
    """A value that JSON cannot express, such as an object, a NaN, or text with a lone surrogate."""

    def __init__(self, column: str, type_name: str) -> None:
        super().__init__(column, type_name)
        self.column = column
        self.type_name = type_name

    def __str__(self) -> str:
        return f"column {self.column!r} holds a {self.type_name} that JSON cannot express"


class OrphanError(GroupingError):
    """A row of one level names a parent that no row of the level above has made."""

    def __init__(self, row: int, path: str, key: tuple[object, ...]) -> None:
        super().__init__(row, path, key)
        self.row = row
        self.path = path
        self.key = key

    def __str__(self) -> str:
        return f"row {self.row} of {self.path!r}: there is no parent with key {self.key!r}"


class ReopenedGroupError(GroupingError):
    """A row belongs to a record that an ordered stream has already finished."""

    def __init__(self, row: int, table: str, key: tuple[object, ...]) -> None:
        super().__init__(row, table, key)
        self.row = row
        self.table = table
        self.key = key

    def __str__(self) -> str:
        return (
            f"row {self.row}: the rows are not ordered, "
            f"the {self.table!r} record with key {self.key!r} was already finished"
        )


class TooManyRowsError(GroupingError):
    """More rows came than the grouper was told to take."""

    def __init__(self, row: int, limit: int) -> None:
        super().__init__(row, limit)
        self.row = row
        self.limit = limit

    def __str__(self) -> str:
        return f"row {self.row}: more than the {self.limit} rows allowed"


class StreamBusyError(GroupingError):
    """Two threads, or a stream and the code of its own rows, use one stream at once."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "the stream is at work in another thread, or further up in this one"


class MetadataError(MeshAccelError):
    """A pool refuses something. It has not changed.

    The subclasses keep what they were made of as ``args`` and word it in ``__str__``.
    """


class MetadataTypeError(MetadataError, TypeError):
    """A value, or a key of a dict, has a type that has no place in a pool.

    ``path`` leads to it from the top, in keys and indexes; ``is_key`` tells whether it is a key,
    in the dict at that path.
    """

    def __init__(
        self, path: tuple[str | int, ...], type_name: str, *, is_key: bool = False
    ) -> None:
        super().__init__(path, type_name, is_key)
        self.path = path
        self.type_name = type_name
        self.is_key = is_key

    def __reduce__(self) -> tuple[object, ...]:
        return _metadata_type_error, (self.path, self.type_name, self.is_key)

    def __str__(self) -> str:
        place = "".join(f"[{step!r}]" for step in self.path) or "the top"
        if self.is_key:
            return f"at {place}: a dict has a key of type {self.type_name}; keys must be str"
        return f"at {place}: {self.type_name} has no place in metadata"


def _metadata_type_error(
    path: tuple[str | int, ...],
    type_name: str,
    is_key: bool,  # noqa: FBT001 (for pickle)
) -> MetadataTypeError:
    return MetadataTypeError(path, type_name, is_key=is_key)


class MetadataDepthError(MetadataError, RecursionError):
    """A value has more lists and dicts within each other than allowed, or contains itself."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"nested deeper than {self.limit} levels"


class InvalidMetadataJsonError(MetadataError, ValueError):
    """A text is no JSON document; ``position`` is the offset in bytes where it went wrong."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason, position)
        self.reason = reason
        self.position = position

    def __str__(self) -> str:
        return f"no JSON: {self.reason}"


class NoJsonFormError(MetadataError, ValueError):
    """A value that JSON cannot express: NaN, an infinity, text with a lone surrogate.

    Nor are integers of more than 4,300 digits written, as no reader is sure to take them.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"JSON cannot express {self.what}"


class UnknownMetadataKeyError(MetadataError, KeyError):
    """A pool never gave out this key, or it was released as often as it was given out."""

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"key {self.key} is unknown or was released"


class PoolFull(MetadataError):  # noqa: N818 (what happened, as in queue.Full)
    """A value would make the pool exceed ``limit``, which is ``allowed``."""

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(limit, allowed)
        self.limit = limit
        self.allowed = allowed

    def __str__(self) -> str:
        return f"the pool is full: {self.limit} is {self.allowed}"


class CacheError(MeshAccelError):
    """A cache cannot do what it was asked to. Nothing was changed."""


class CacheNameError(CacheError, TypeError):
    """A key or a tag is not exactly ``str``: subclasses could run their own code in the cache."""

    def __init__(self, role: str, type_name: str) -> None:
        super().__init__(role, type_name)
        self.role = role
        self.type_name = type_name

    def __str__(self) -> str:
        return f"{self.role}: expected exactly str, got {self.type_name}"


class CacheOptionError(CacheError, ValueError):
    """An option of a cache or of a call is out of its range."""

    def __init__(self, option: str, wanted: str, value: object) -> None:
        super().__init__(option, wanted, value)
        self.option = option
        self.wanted = wanted
        self.value = value

    def __str__(self) -> str:
        return f"{self.option} is to be {self.wanted}, not {self.value!r}"


class ForeignFlightError(CacheError, ValueError):
    """A value was to be stored in one cache in a flight that another cache began."""

    def __str__(self) -> str:
        return "the flight was begun by another cache"


class SecondLevelError(CacheError):
    """The second level of a cache cannot be used now."""


class StoreFullError(SecondLevelError):
    """The second level has no room, in memory or on disk; nothing was stored."""


class UnusableStoreError(SecondLevelError):
    """The file of a store is damaged, another program's, or of a newer version of meshaccel."""


class CodecError(CacheError, ValueError):
    """A value cannot be expressed by a codec, or a payload was not written by it."""


class FetchTimeoutError(CacheError, TimeoutError):
    """A value was not fetched within the hard timeout, and there is no old one to serve."""

    def __init__(self, key: str, seconds: float) -> None:
        super().__init__(key, seconds)
        self.key = key
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.key}: not fetched within {self.seconds} seconds"


class FetchCancelledError(CacheError):
    """A function that fetches a value raised CancelledError, which nobody asked for."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"{self.key}: fetching was cancelled from within"


class NothingToRenewError(CacheError, LookupError):
    """A function that fetches a value says it has not changed, and there is no old one."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"{self.key}: there is no old value"


class DatabaseError(MeshAccelError):
    """The database cannot serve this request now; nothing of it was kept. Retrying may help."""


class DatabaseReplacedError(DatabaseError):
    """The file was replaced or taken back while it was open: only a restart helps."""


class IncompatibleDatabaseError(DatabaseError):
    """The file belongs to another program, or to a newer version of meshaccel."""


class PoolError(MeshAccelError):
    """A connection pool cannot serve this request; nothing was sent to the database."""


class ConnectionPoolExhausted(PoolError, TimeoutError):  # noqa: N818 - the name users look for
    """No connection became free within the timeout, or too many were waiting already.

    Attributes:
        holders: who had the connections, each with the stack that acquired it; empty unless the
            pool was made with ``leak_after``.
    """

    def __init__(self, message: str, holders: tuple[str, ...] = ()) -> None:
        super().__init__(message, holders)
        self.message = message
        self.holders = holders

    def __str__(self) -> str:
        return "\n".join([self.message, *self.holders])


class PoolClosedError(PoolError):
    """The pool is not open yet or closed already, or this connection was given back."""


class PoolMisuseError(PoolError, RuntimeError):
    """The pool belongs to another event loop, or to the process this one was forked from."""


class ResilienceError(MeshAccelError):
    """The error handling made no attempt, or cut one off."""


class CircuitOpenError(ResilienceError):
    """The dependency is in trouble, and calls are kept from it. Nothing was sent.

    Attributes:
        retry_after_s: in how many seconds it makes sense to ask again, if that is known.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message


class BulkheadFullError(ResilienceError):
    """As many calls as allowed are being made, and as many wait as may. Nothing was sent."""


class DeadlineExceededError(ResilienceError, TimeoutError):
    """The time for the operation was up before an attempt was made. Nothing was sent."""


class AttemptTimeoutError(ResilienceError, TimeoutError):
    """An attempt was cut off because it took too long. What it sent may have had its effect."""


class PolicyError(ResilienceError, ValueError):
    """A policy, a handler or a call does not fit the others and cannot work."""


class DiscoveryError(MeshAccelError):
    """A discovery client cannot bring itself up to date. What it holds stays as it was."""


class RegistryUnavailableError(DiscoveryError):
    """The registry does not answer, or cannot serve now. Retrying may help."""


class InvalidReplyError(DiscoveryError):
    """What answers is no registry, or something on the way changed the answer."""


class DivergedError(DiscoveryError):
    """Snapshot after snapshot did not have the hash that the registry gave for it."""


class TokenError(MeshAccelError, ValueError):
    """A token, or a file of tokens, cannot be used. No token is repeated in the message."""

    @classmethod
    def unreadable(cls, path: object, error: OSError) -> Self:
        """Return one for a file that cannot be read."""
        return cls(f"{path}: cannot be read: {error.strerror or error}")

    @classmethod
    def malformed(cls, place: str) -> Self:
        """Return one for what is no token."""
        return cls(
            f"{place}: a token is 16 to 512 letters, digits or characters of -._~+/, and may end"
            " in ="
        )


class TooManyReadersError(MeshAccelError):
    """As many readers wait for changes as the registry serves at once. Retrying may help."""


class InvalidRequestError(MeshAccelError, ValueError):
    """The input is malformed; the message names the place. Nothing was changed."""


class RegistrationRejectedError(MeshAccelError):
    """The registration is well-formed but breaks a rule of the mesh. Nothing was changed."""


class UnknownAgentError(MeshAccelError, LookupError):
    """No agent with this id is registered."""
