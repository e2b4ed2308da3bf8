"""Which agents a reader of the change feed wants to hear of."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import quote, unquote

from msgspec import Struct

from meshaccel.errors import InvalidRequestError
from meshaccel.models import AgentStatus

_LABEL = "label."


class Facts(Struct, frozen=True):
    """What of an agent a selector looks at."""

    namespace: str
    status: AgentStatus
    labels: Mapping[str, str]
    capabilities: tuple[str, ...]
    """Names, each once, sorted."""


class Selector(Struct, frozen=True, kw_only=True):
    """Agents that meet every condition. None, () and {} set none.

    The text form is what HTTP and the command line take: terms joined by commas,
    ``namespace=eu,status=healthy,label.tier=gold,capability=weather``, in which a name or value
    that holds a comma, ``=`` or ``%`` is percent-encoded. ``str()`` of equal selectors is equal.
    """

    namespace: str | None = None
    status: str | None = None
    labels: Mapping[str, str] = {}
    capabilities: tuple[str, ...] = ()
    """Agents that offer at least one of these."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; an empty one selects every agent.

        Raises:
            InvalidRequestError: a term is malformed, unknown or contradicts another one.
        """
        single: dict[str, str] = {}
        capabilities = []
        for term in filter(None, text.split(",")):
            name, equals, value = term.partition("=")
            name, value = unquote(name).strip(), unquote(value).strip()
            if not equals or not value:
                raise InvalidRequestError(f"selector: {term!r:.80} is not a NAME=VALUE")
            if name == "capability":
                capabilities.append(value)
            elif name not in ("namespace", "status") and not name.startswith(_LABEL):
                raise InvalidRequestError(
                    f"selector: {name!r:.80} is none of namespace, status, capability, label.NAME"
                )
            elif single.setdefault(name, value) != value:
                raise InvalidRequestError(f"selector: {name!r:.80} cannot be two things at once")
        return cls(
            namespace=single.pop("namespace", None),
            status=single.pop("status", None),
            labels={name.removeprefix(_LABEL): value for name, value in single.items()},
            capabilities=tuple(sorted(set(capabilities))),
        )

    def __str__(self) -> str:
        terms = [("namespace", self.namespace), ("status", self.status)]
        terms += [(_LABEL + name, value) for name, value in sorted(self.labels.items())]
        terms += [("capability", name) for name in sorted(set(self.capabilities))]
        return ",".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in terms
            if value is not None
        )

    def __bool__(self) -> bool:
        return bool(self.namespace or self.status or self.labels or self.capabilities)

    def matches(self, facts: Facts) -> bool:
        """Whether an agent with these facts is selected."""
        return (
            self.namespace in (None, facts.namespace)
            and self.status in (None, facts.status)
            and all(facts.labels.get(name) == value for name, value in self.labels.items())
            and (not self.capabilities or not set(facts.capabilities).isdisjoint(self.capabilities))
        )
