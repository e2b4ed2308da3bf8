"""A fast, safe registry for MCP Mesh agents, and the primitives it is built from.

Names are loaded when they are first used: whoever takes one primitive does not wait for, nor
need, what the others import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from meshaccel._native import __version__

if TYPE_CHECKING:
    from meshaccel.cache import (
        MISS,
        CacheStats,
        FetchContext,
        Flight,
        HierarchicalCache,
        HierarchicalStats,
        Policy,
        TagCache,
    )
    from meshaccel.clock import Clock
    from meshaccel.db.events import Event, EventQuery
    from meshaccel.db.listing import AgentQuery
    from meshaccel.db.schemas import StoredSchema
    from meshaccel.errors import (
        AmbiguousColumnError,
        CacheError,
        CacheNameError,
        CacheOptionError,
        CodecError,
        ConnectionPoolExhausted,
        DatabaseError,
        DatabaseInUseError,
        FetchCancelledError,
        FetchTimeoutError,
        ForeignFlightError,
        GroupingError,
        IncompatibleDatabaseError,
        InvalidJsonError,
        InvalidMetadataJsonError,
        InvalidRequestError,
        JsonValueError,
        MeshAccelError,
        MetadataDepthError,
        MetadataError,
        MetadataTypeError,
        MissingColumnError,
        NoJsonFormError,
        NothingToRenewError,
        NullKeyError,
        OrphanError,
        PoolClosedError,
        PoolError,
        PoolFull,
        PoolMisuseError,
        RegistrationRejectedError,
        ReopenedGroupError,
        RowTypeError,
        RowWidthError,
        SecondLevelError,
        StreamBusyError,
        TooManyRowsError,
        UnhashableKeyError,
        UnknownAgentError,
        UnknownMetadataKeyError,
    )
    from meshaccel.frozen import FrozenDict, FrozenList
    from meshaccel.grouping import Child, GroupStream, LazyJson, RowGrouper, Shape
    from meshaccel.metadata import MetadataList, MetadataPool, MetadataStats, MetadataView
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
    "MISS",
    "Agent",
    "AgentInfo",
    "AgentQuery",
    "AgentRecord",
    "AgentRegistry",
    "AmbiguousColumnError",
    "Answer",
    "CacheError",
    "CacheNameError",
    "CacheOptionError",
    "CacheStats",
    "Child",
    "Clock",
    "CodecError",
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
    "FetchCancelledError",
    "FetchContext",
    "FetchTimeoutError",
    "Flight",
    "ForeignFlightError",
    "FrozenDict",
    "FrozenList",
    "GroupStream",
    "GroupingError",
    "HierarchicalCache",
    "HierarchicalStats",
    "Imported",
    "IncompatibleDatabaseError",
    "InvalidJsonError",
    "InvalidMetadataJsonError",
    "InvalidRequestError",
    "JsonValueError",
    "LazyJson",
    "Listed",
    "LlmProviderRequest",
    "MeshAccelError",
    "MetadataDepthError",
    "MetadataError",
    "MetadataList",
    "MetadataPool",
    "MetadataStats",
    "MetadataTypeError",
    "MetadataView",
    "MissingColumnError",
    "NoJsonFormError",
    "NothingToRenewError",
    "NullKeyError",
    "OrphanError",
    "Page",
    "Policy",
    "PoolClosedError",
    "PoolError",
    "PoolFull",
    "PoolMisuseError",
    "PoolStats",
    "RegistrationRejectedError",
    "RegistrySettings",
    "ReopenedGroupError",
    "RowGrouper",
    "RowTypeError",
    "RowWidthError",
    "SecondLevelError",
    "Shape",
    "Signal",
    "StoredSchema",
    "StreamBusyError",
    "Surface",
    "TagCache",
    "TooManyRowsError",
    "Tool",
    "UnhashableKeyError",
    "UnknownAgentError",
    "UnknownMetadataKeyError",
    "Wiring",
    "__version__",
]

_HOMES = {
    "cache": ("MISS", "CacheStats", "Flight", "TagCache"),
    "cache.context": ("FetchContext",),
    "cache.counters": ("HierarchicalStats",),
    "cache.hierarchical": ("HierarchicalCache",),
    "cache.policy": ("Policy",),
    "clock": ("Clock",),
    "db.events": ("Event", "EventQuery"),
    "db.listing": ("AgentQuery",),
    "db.schemas": ("StoredSchema",),
    "errors": (
        "AmbiguousColumnError",
        "CacheError",
        "CacheNameError",
        "CacheOptionError",
        "CodecError",
        "ConnectionPoolExhausted",
        "DatabaseError",
        "DatabaseInUseError",
        "FetchCancelledError",
        "FetchTimeoutError",
        "ForeignFlightError",
        "GroupingError",
        "IncompatibleDatabaseError",
        "InvalidJsonError",
        "InvalidMetadataJsonError",
        "InvalidRequestError",
        "JsonValueError",
        "MeshAccelError",
        "MetadataDepthError",
        "MetadataError",
        "MetadataTypeError",
        "MissingColumnError",
        "NoJsonFormError",
        "NothingToRenewError",
        "NullKeyError",
        "OrphanError",
        "PoolClosedError",
        "PoolError",
        "PoolFull",
        "PoolMisuseError",
        "RegistrationRejectedError",
        "ReopenedGroupError",
        "RowTypeError",
        "RowWidthError",
        "SecondLevelError",
        "StreamBusyError",
        "TooManyRowsError",
        "UnhashableKeyError",
        "UnknownAgentError",
        "UnknownMetadataKeyError",
    ),
    "frozen": ("FrozenDict", "FrozenList"),
    "grouping": ("Child", "GroupStream", "LazyJson", "RowGrouper", "Shape"),
    "metadata": ("MetadataList", "MetadataPool", "MetadataStats", "MetadataView"),
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
