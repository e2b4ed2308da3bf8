"""A small mesh with a bit of everything, for the tests of the page and for its picture."""

from typing import Any, NamedTuple

Json = dict[str, Any]


class Service(NamedTuple):
    """A service of some replicas that each offer tools and need others'."""

    name: str
    offers: tuple[str, ...]
    needs: tuple[str, ...] = ()
    replicas: int = 1


FLEET = (
    Service("trip-planner", ("plan_trip",), ("flights", "hotels", "weather", "maps", "budget"), 3),
    Service("chat-frontend", ("chat",), ("plan_trip", "translate", "moderate"), 2),
    Service("expense-bot", ("file_expense",), ("receipts", "exchange_rate", "ledger")),
    Service("newsletter", ("send_digest",), ("plan_trip", "translate", "mail")),
    Service("support-desk", ("answer_ticket",), ("search_manuals", "translate", "mail"), 2),
    Service("flight-search", ("flights",), ("exchange_rate", "cache"), 3),
    Service("hotel-search", ("hotels",), ("maps", "exchange_rate", "cache"), 2),
    Service("weather-eu", ("weather", "forecast"), ("cache",), 2),
    Service("geo", ("maps", "geocode"), ("cache",)),
    Service("budgeting", ("budget",), ("exchange_rate", "ledger")),
    Service("translator", ("translate", "detect_language"), (), 4),
    Service("moderation", ("moderate",), ("detect_language",)),
    Service("receipt-reader", ("receipts",), ("ocr",)),
    Service("rates", ("exchange_rate",), ("cache",)),
    Service("bookkeeping", ("ledger",), ("audit_trail",)),
    Service("manuals", ("search_manuals", "index_manuals"), ("embed",)),
    Service("embeddings", ("embed",), (), 2),
    Service("mailer", ("mail",), ("templates",)),
    Service("templates", ("templates",)),
    Service("scanner", ("ocr",)),
    Service("shared-cache", ("cache",), (), 2),
)
"""A travel agency. Nobody offers ``audit_trail``."""


def declarations(fleet: tuple[Service, ...] = FLEET) -> list[Json]:
    """Return what each agent registers with."""
    agents = [service for service in fleet for _ in range(service.replicas)]
    return [_declaration(service, port) for port, service in enumerate(agents, 9000)]


def _declaration(service: Service, port: int) -> Json:
    tools: list[Json] = [
        {
            "function_name": name,
            "capability": name,
            "version": "1.4.0",
            "description": f"{name.replace('_', ' ').capitalize()}, asked of {service.name}.",
            "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}},
        }
        for name in service.offers
    ]
    tools[0]["dependencies"] = [{"capability": name} for name in service.needs]
    return {
        "agent_id": f"{service.name}-{0x5EED + 7919 * port:08x}",
        "name": service.name,
        "version": "1.4.0",
        "namespace": "travel",
        "description": f"The travel agency's {service.name.replace('-', ' ')}.",
        "http_host": "10.0.0.7",
        "http_port": port,
        "tools": tools,
    }
