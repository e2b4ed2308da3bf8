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
        CachePolicy,
        CacheStats,
        FetchContext,
        Flight,
        HierarchicalCache,
        HierarchicalStats,
        TagCache,
    )
    from meshaccel.clock import Clock
    from meshaccel.db.events import Event, EventQuery
    from meshaccel.db.listing import AgentQuery
    from meshaccel.db.schemas import StoredSchema
    from meshaccel.discovery.client import IncrementalServiceDiscovery
    from meshaccel.discovery.guards import Guards
    from meshaccel.discovery.records import KnownAgent
    from meshaccel.discovery.selector import Selector
    from meshaccel.discovery.stats import DiscoveryStats
    from meshaccel.discovery.watching import AgentChange
    from meshaccel.errors import (
        AmbiguousColumnError,
        AttemptTimeoutError,
        BulkheadFullError,
        CacheError,
        CacheNameError,
        CacheOptionError,
        CircuitOpenError,
        CodecError,
        ConnectionPoolExhausted,
        DatabaseError,
        DatabaseReplacedError,
        DeadlineExceededError,
        DiscoveryError,
        DivergedError,
        FetchCancelledError,
        FetchTimeoutError,
        ForeignFlightError,
        GroupingError,
        IncompatibleDatabaseError,
        InvalidJsonError,
        InvalidMetadataJsonError,
        InvalidReplyError,
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
        PolicyError,
        PoolClosedError,
        PoolError,
        PoolFull,
        PoolMisuseError,
        RegistrationRejectedError,
        RegistryUnavailableError,
        ReopenedGroupError,
        ResilienceError,
        RowTypeError,
        RowWidthError,
        SecondLevelError,
        StreamBusyError,
        TokenError,
        TooManyReadersError,
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
    from meshaccel.registry.agent_info import AgentInfo
    from meshaccel.registry.heartbeats import Answer, Signal
    from meshaccel.registry.pages import Listed, Page
    from meshaccel.registry.records import Record
    from meshaccel.registry.registration import Declaration
    from meshaccel.registry.resolution import Wiring
    from meshaccel.registry.service import AgentRegistry, Imported
    from meshaccel.registry.settings import FeedSettings, RegistrySettings
    from meshaccel.registry.stats import RegistryStats
    from meshaccel.resilience.backoff import DecorrelatedJitter, FullJitter
    from meshaccel.resilience.budget import RetryBudget
    from meshaccel.resilience.bulkhead import Bulkhead
    from meshaccel.resilience.circuit import CircuitBreaker
    from meshaccel.resilience.classification import Classifier
    from meshaccel.resilience.handlers import Failure, Ignore, Raise, Retry, Return
    from meshaccel.resilience.middleware import ErrorHandlingMiddleware
    from meshaccel.resilience.parking import ParkingBreaker
    from meshaccel.resilience.policy import RetryPolicy
    from meshaccel.resilience.verdicts import Classification, Unit, Verdict

__all__ = [
    "MISS",
    "Agent",
    "AgentChange",
    "AgentInfo",
    "AgentQuery",
    "AgentRecord",
    "AgentRegistry",
    "AmbiguousColumnError",
    "Answer",
    "AttemptTimeoutError",
    "Bulkhead",
    "BulkheadFullError",
    "CacheError",
    "CacheNameError",
    "CacheOptionError",
    "CachePolicy",
    "CacheStats",
    "Child",
    "CircuitBreaker",
    "CircuitOpenError",
    "Classification",
    "Classifier",
    "Clock",
    "CodecError",
    "Connection",
    "ConnectionPool",
    "ConnectionPoolExhausted",
    "DatabaseError",
    "DatabaseReplacedError",
    "DeadlineExceededError",
    "Declaration",
    "DecorrelatedJitter",
    "Dependency",
    "DiscoveryError",
    "DiscoveryStats",
    "DivergedError",
    "ErrorHandlingMiddleware",
    "Event",
    "EventQuery",
    "Executed",
    "Failure",
    "FeedSettings",
    "FetchCancelledError",
    "FetchContext",
    "FetchTimeoutError",
    "Flight",
    "ForeignFlightError",
    "FrozenDict",
    "FrozenList",
    "FullJitter",
    "GroupStream",
    "GroupingError",
    "Guards",
    "HierarchicalCache",
    "HierarchicalStats",
    "Ignore",
    "Imported",
    "IncompatibleDatabaseError",
    "IncrementalServiceDiscovery",
    "InvalidJsonError",
    "InvalidMetadataJsonError",
    "InvalidReplyError",
    "InvalidRequestError",
    "JsonValueError",
    "KnownAgent",
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
    "ParkingBreaker",
    "PolicyError",
    "PoolClosedError",
    "PoolError",
    "PoolFull",
    "PoolMisuseError",
    "PoolStats",
    "Raise",
    "Record",
    "RegistrationRejectedError",
    "RegistrySettings",
    "RegistryStats",
    "RegistryUnavailableError",
    "ReopenedGroupError",
    "ResilienceError",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Return",
    "RowGrouper",
    "RowTypeError",
    "RowWidthError",
    "SecondLevelError",
    "Selector",
    "Shape",
    "Signal",
    "StoredSchema",
    "StreamBusyError",
    "Surface",
    "TagCache",
    "TokenError",
    "TooManyReadersError",
    "TooManyRowsError",
    "Tool",
    "UnhashableKeyError",
    "Unit",
    "UnknownAgentError",
    "UnknownMetadataKeyError",
    "Verdict",
    "Wiring",
    "__version__",
]

_HOMES = {
    "cache": ("MISS", "CacheStats", "Flight", "TagCache"),
    "cache.context": ("FetchContext",),
    "cache.counters": ("HierarchicalStats",),
    "cache.hierarchical": ("HierarchicalCache",),
    "cache.policy": ("CachePolicy",),
    "clock": ("Clock",),
    "db.events": ("Event", "EventQuery"),
    "db.listing": ("AgentQuery",),
    "db.schemas": ("StoredSchema",),
    "discovery.client": ("IncrementalServiceDiscovery",),
    "discovery.guards": ("Guards",),
    "discovery.records": ("KnownAgent",),
    "discovery.selector": ("Selector",),
    "discovery.stats": ("DiscoveryStats",),
    "discovery.watching": ("AgentChange",),
    "errors": (
        "AmbiguousColumnError",
        "AttemptTimeoutError",
        "BulkheadFullError",
        "CacheError",
        "CacheNameError",
        "CacheOptionError",
        "CircuitOpenError",
        "CodecError",
        "ConnectionPoolExhausted",
        "DatabaseError",
        "DatabaseReplacedError",
        "DeadlineExceededError",
        "DiscoveryError",
        "DivergedError",
        "FetchCancelledError",
        "FetchTimeoutError",
        "ForeignFlightError",
        "GroupingError",
        "IncompatibleDatabaseError",
        "InvalidJsonError",
        "InvalidMetadataJsonError",
        "InvalidReplyError",
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
        "PolicyError",
        "PoolClosedError",
        "PoolError",
        "PoolFull",
        "PoolMisuseError",
        "RegistrationRejectedError",
        "RegistryUnavailableError",
        "ReopenedGroupError",
        "ResilienceError",
        "RowTypeError",
        "RowWidthError",
        "SecondLevelError",
        "StreamBusyError",
        "TokenError",
        "TooManyReadersError",
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
    "registry.agent_info": ("AgentInfo",),
    "registry.heartbeats": ("Answer", "Signal"),
    "registry.pages": ("Listed", "Page"),
    "registry.records": ("Record",),
    "registry.registration": ("Declaration",),
    "registry.resolution": ("Wiring",),
    "registry.service": ("AgentRegistry", "Imported"),
    "resilience.backoff": (
        "DecorrelatedJitter",
        "FullJitter",
    ),
    "resilience.budget": ("RetryBudget",),
    "resilience.bulkhead": ("Bulkhead",),
    "resilience.circuit": ("CircuitBreaker",),
    "resilience.classification": ("Classifier",),
    "resilience.handlers": (
        "Failure",
        "Ignore",
        "Raise",
        "Retry",
        "Return",
    ),
    "resilience.middleware": ("ErrorHandlingMiddleware",),
    "resilience.parking": ("ParkingBreaker",),
    "resilience.policy": ("RetryPolicy",),
    "resilience.verdicts": (
        "Classification",
        "Unit",
        "Verdict",
    ),
    "registry.settings": ("FeedSettings", "RegistrySettings"),
    "registry.stats": ("RegistryStats",),
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
