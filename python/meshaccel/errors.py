"""Every exception that meshaccel raises on purpose.

::

    MeshAccelError
    ├── GroupingError (ValueError)     rows that do not fit their shape
    │   ├── RowTypeError               a row is no sequence of column values
    │   ├── RowWidthError              a row has too many or too few values
    │   ├── NullKeyError               a row without the key of its outermost record
    │   └── UnhashableKeyError         a key value that can never be compared by hash
    ├── CacheError                     a call of a cache that makes no sense; it changed nothing
    │   ├── CacheNameError (TypeError)     a key or tag is not exactly str
    │   ├── CacheOptionError (ValueError)  an option is out of its range
    │   └── ForeignFlightError (ValueError) a flight is that of another cache
    ├── DatabaseError                  the database cannot serve this request now
    │   ├── DatabaseInUseError         another registry has the file open
    │   └── IncompatibleDatabaseError  the file is not ours, or newer than this version
    ├── InvalidRequestError (ValueError)   malformed input: nothing was changed
    ├── RegistrationRejectedError      well-formed, but against the rules of the mesh
    └── UnknownAgentError (LookupError)
"""


class MeshAccelError(Exception):
    """Base of every exception raised by meshaccel itself."""


class GroupingError(MeshAccelError, ValueError):
    """A row does not fit the shape it is grouped by.

    The subclasses have the position of the row among those given, from 0, as ``row``. They
    keep what they were made of as ``args`` and word it in ``__str__``, so the native and the
    reference grouper share one wording and the errors pickle.
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


class CacheError(MeshAccelError):
    """A cache was called in a way that makes no sense. It was not changed."""


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

    def __init__(self, option: str, wanted: str, value: float) -> None:
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


class DatabaseError(MeshAccelError):
    """The database cannot serve this request now; nothing of it was kept. Retrying may help."""


class DatabaseInUseError(DatabaseError):
    """Another registry, in this process or another, has the file open."""


class IncompatibleDatabaseError(DatabaseError):
    """The file belongs to another program, or to a newer version of meshaccel."""


class InvalidRequestError(MeshAccelError, ValueError):
    """The input is malformed; the message names the place. Nothing was changed."""


class RegistrationRejectedError(MeshAccelError):
    """The registration is well-formed but breaks a rule of the mesh. Nothing was changed."""


class UnknownAgentError(MeshAccelError, LookupError):
    """No agent with this id is registered."""
