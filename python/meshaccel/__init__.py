"""A fast, safe registry for MCP Mesh agents, and the primitives it is built from.

Names are loaded when they are first used: whoever takes one primitive does not wait for, nor
need, what the others import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from meshaccel._native import __version__

if TYPE_CHECKING:
    from meshaccel.clock import Clock
    from meshaccel.db.events import Event, EventQuery
    from meshaccel.db.listing import AgentQuery
    from meshaccel.db.schemas import StoredSchema
    from meshaccel.errors import (
        AmbiguousColumnError,
        ConnectionPoolExhausted,
        DatabaseError,
        DatabaseInUseError,
        GroupingError,
        IncompatibleDatabaseError,
        InvalidJsonError,
        InvalidRequestError,
        JsonValueError,
        MeshAccelError,
        MissingColumnError,
        NullKeyError,
        OrphanError,
        PoolClosedError,
        PoolError,
        PoolMisuseError,
        RegistrationRejectedError,
        ReopenedGroupError,
        RowTypeError,
        RowWidthError,
        StreamBusyError,
        TooManyRowsError,
        UnhashableKeyError,
        UnknownAgentError,
    )
    from meshaccel.frozen import FrozenDict, FrozenList
    from meshaccel.grouping import Child, GroupStream, LazyJson, RowGrouper, Shape
    from meshaccel.models import Agent, AgentRecord, Dependency, LlmProviderRequest, Surface, Tool
    from meshaccel.pool import Connection, ConnectionPool, Executed, PoolStats
    from meshaccel.registry.describing import AgentInfo
    from meshaccel.registry.heartbeats import Answer, Signal
    from meshaccel.registry.pages import Listed, Page
    from meshaccel.registry.registration import Declaration
    from meshaccel.registry.resolution import Wiring
    from meshaccel.registry.service import AgentRegistry, Imported
    from meshaccel.registry.settings import RegistrySettings

__all__ = [
    "Agent",
    "AgentInfo",
    "AgentQuery",
    "AgentRecord",
    "AgentRegistry",
    "AmbiguousColumnError",
    "Answer",
    "Child",
    "Clock",
    "Connection",
    "ConnectionPool",
    "ConnectionPoolExhausted",
    "DatabaseError",
    "DatabaseInUseError",
    "Declaration",
    "Dependency",
    "Event",
    "EventQuery",
    "Executed",
    "FrozenDict",
    "FrozenList",
    "GroupStream",
    "GroupingError",
    "Imported",
    "IncompatibleDatabaseError",
    "InvalidJsonError",
    "InvalidRequestError",
    "JsonValueError",
    "LazyJson",
    "Listed",
    "LlmProviderRequest",
    "MeshAccelError",
    "MissingColumnError",
    "NullKeyError",
    "OrphanError",
    "Page",
    "PoolClosedError",
    "PoolError",
    "PoolMisuseError",
    "PoolStats",
    "RegistrationRejectedError",
    "RegistrySettings",
    "ReopenedGroupError",
    "RowGrouper",
    "RowTypeError",
    "RowWidthError",
    "Shape",
    "Signal",
    "StoredSchema",
    "StreamBusyError",
    "Surface",
    "TooManyRowsError",
    "Tool",
    "UnhashableKeyError",
    "UnknownAgentError",
    "Wiring",
    "__version__",
]

_HOMES = {
    "clock": ("Clock",),
    "db.events": ("Event", "EventQuery"),
    "db.listing": ("AgentQuery",),
    "db.schemas": ("StoredSchema",),
    "errors": (
        "AmbiguousColumnError",
        "ConnectionPoolExhausted",
        "DatabaseError",
        "DatabaseInUseError",
        "GroupingError",
        "IncompatibleDatabaseError",
        "InvalidJsonError",
        "InvalidRequestError",
        "JsonValueError",
        "MeshAccelError",
        "MissingColumnError",
        "NullKeyError",
        "OrphanError",
        "PoolClosedError",
        "PoolError",
        "PoolMisuseError",
        "RegistrationRejectedError",
        "ReopenedGroupError",
        "RowTypeError",
        "RowWidthError",
        "StreamBusyError",
        "TooManyRowsError",
        "UnhashableKeyError",
        "UnknownAgentError",
    ),
    "frozen": ("FrozenDict", "FrozenList"),
    "grouping": ("Child", "GroupStream", "LazyJson", "RowGrouper", "Shape"),
    "models": ("Agent", "AgentRecord", "Dependency", "LlmProviderRequest", "Surface", "Tool"),
    "pool.connection": ("Connection",),
    "pool.jobs": ("Executed",),
    "pool.pool": ("ConnectionPool",),
    "pool.stats": ("PoolStats",),
    "registry.describing": ("AgentInfo",),
    "registry.heartbeats": ("Answer", "Signal"),
    "registry.pages": ("Listed", "Page"),
    "registry.registration": ("Declaration",),
    "registry.resolution": ("Wiring",),
    "registry.service": ("AgentRegistry", "Imported"),
    "registry.settings": ("RegistrySettings",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
