"""Wirings as agents are told them: encoded, measured, and told apart by digest."""

from collections.abc import Iterable
from itertools import chain
from typing import Self

import msgspec
from msgspec import Struct

from meshaccel.content import digest_bytes
from meshaccel.errors import RegistrationRejectedError
from meshaccel.metadata import MetadataView, msgspec_hook
from meshaccel.registry.resolution import Wiring

MAX_WIRING = 64 * 1024 * 1024
"""Bytes of a wiring. An agent can ask a thousand times for a tool with large kwargs."""


class CurrentWiring(Struct, frozen=True, gc=False):
    """What an agent is to be told, ready to be told."""

    wiring: Wiring
    body: bytes
    """The wiring as a JSON object."""
    digest: bytes
    """Of the wiring: agents told equal digests were told the same."""

    @classmethod
    def of(cls, wiring: Wiring) -> Self:
        """Encode a wiring.

        Raises:
            RegistrationRejectedError: it is too large to be told.
        """
        _refuse_huge(wiring)
        return cls(wiring, _encode(wiring), _digest(wiring))


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=msgspec_hook)


def _digest(wiring: Wiring) -> bytes:
    """Return a digest that does not depend on the order of keys, which may differ in a view.

    Equal dicts are one value in the pool, with the keys in the order of whoever came first.
    """
    return digest_bytes(msgspec.json.encode(wiring, enc_hook=_view_digest))


def _view_digest(value: object) -> str:
    if isinstance(value, MetadataView):
        return value.digest("sha256")
    raise TypeError(f"no part of a wiring: {type(value).__name__}")


def _refuse_huge(wiring: Wiring) -> None:
    """Measure a wiring before it is written out, where the same entry may stand many times."""
    entries: Iterable[object] = chain(
        chain.from_iterable(wiring.dependencies_resolved.values()),
        chain.from_iterable(wiring.llm_tools.values()),
        wiring.llm_providers.values(),
    )
    sizes: dict[int, int] = {}
    total = 0
    for entry in entries:
        size = sizes.get(id(entry))
        if size is None:
            size = sizes[id(entry)] = len(_encode(entry))
        total += size
        if total > MAX_WIRING:
            raise RegistrationRejectedError(
                f"the wiring is larger than {MAX_WIRING} bytes: depend on less"
            )
