"""A fast, safe registry for MCP Mesh agents, and the primitives it is built from.

Names are loaded when they are first used: whoever takes one primitive does not wait for, nor
need, what the others import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from meshaccel._native import __version__

if TYPE_CHECKING:
    from meshaccel.cache import MISS, CacheStats, Flight, TagCache
    from meshaccel.clock import Clock
    from meshaccel.db.events import Event, EventQuery
    from meshaccel.db.listing import AgentQuery
    from meshaccel.db.schemas import StoredSchema
    from meshaccel.errors import (
        CacheError,
        CacheNameError,
        CacheOptionError,
        DatabaseError,
        DatabaseInUseError,
        ForeignFlightError,
        GroupingError,
        IncompatibleDatabaseError,
        InvalidRequestError,
        MeshAccelError,
        NullKeyError,
        RegistrationRejectedError,
        RowTypeError,
        RowWidthError,
        UnhashableKeyError,
        UnknownAgentError,
    )
    from meshaccel.grouping import Child, RowGrouper, Shape
    from meshaccel.models import Agent, AgentRecord, Dependency, LlmProviderRequest, Surface, Tool
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
    "Answer",
    "CacheError",
    "CacheNameError",
    "CacheOptionError",
    "CacheStats",
    "Child",
    "Clock",
    "DatabaseError",
    "DatabaseInUseError",
    "Declaration",
    "Dependency",
    "Event",
    "EventQuery",
    "Flight",
    "ForeignFlightError",
    "GroupingError",
    "Imported",
    "IncompatibleDatabaseError",
    "InvalidRequestError",
    "Listed",
    "LlmProviderRequest",
    "MeshAccelError",
    "NullKeyError",
    "Page",
    "RegistrationRejectedError",
    "RegistrySettings",
    "RowGrouper",
    "RowTypeError",
    "RowWidthError",
    "Shape",
    "Signal",
    "StoredSchema",
    "Surface",
    "TagCache",
    "Tool",
    "UnhashableKeyError",
    "UnknownAgentError",
    "Wiring",
    "__version__",
]

_HOMES = {
    "cache": ("MISS", "CacheStats", "Flight", "TagCache"),
    "clock": ("Clock",),
    "db.events": ("Event", "EventQuery"),
    "db.listing": ("AgentQuery",),
    "db.schemas": ("StoredSchema",),
    "errors": (
        "CacheError",
        "CacheNameError",
        "CacheOptionError",
        "DatabaseError",
        "DatabaseInUseError",
        "ForeignFlightError",
        "GroupingError",
        "IncompatibleDatabaseError",
        "InvalidRequestError",
        "MeshAccelError",
        "NullKeyError",
        "RegistrationRejectedError",
        "RowTypeError",
        "RowWidthError",
        "UnhashableKeyError",
        "UnknownAgentError",
    ),
    "grouping": ("Child", "RowGrouper", "Shape"),
    "models": ("Agent", "AgentRecord", "Dependency", "LlmProviderRequest", "Surface", "Tool"),
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
