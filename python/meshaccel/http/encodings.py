"""Content codings: what a client takes, and what large answers are compressed with."""

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Protocol

GZIP_LEVEL = 1
"""A listing becomes a tenth at this level; at the usual one a fourteenth, for three times the
time."""

_GZIP_WINDOW = 31
"""For zlib: the largest window, and the frame of gzip."""


class Compressor(Protocol):
    """Compresses one body."""

    def compress(self, data: bytes, /) -> bytes:
        """Take in some of the body, and return what is to be sent so far."""

    def flush(self) -> bytes:
        """Return the rest."""


Codec = Callable[[], Compressor]


def _gzip() -> Compressor:
    return zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)


@cache
def codecs() -> Mapping[str, Codec]:
    """Return what there is by the name of its coding, the best first.

    ``zstd`` is Python's, from 3.14 on, or that of the package ``zstandard`` if it is installed.
    """
    zstd = _zstd()
    return {"gzip": _gzip} if zstd is None else {"zstd": zstd, "gzip": _gzip}


def _zstd() -> Codec | None:
    # Either may be there without the library that it is made of.
    with suppress(ImportError):
        codec: Codec = import_module("compression.zstd").ZstdCompressor
        return codec
    with suppress(ImportError):
        compressor = import_module("zstandard").ZstdCompressor
        return lambda: compressor().compressobj()
    return None


def accepted(header: str | None) -> str | None:
    """Return the best coding that an ``Accept-Encoding`` names; None is no compression.

    Of those that a client wants equally, the best one is ours to choose.
    """
    weights: dict[str, float] = {}
    for term in (header or "").lower().split(","):
        name, _, parameters = term.partition(";")
        weights[name.strip()] = _weight(parameters)
    offered = {name: weights.get(name, weights.get("*", 0.0)) for name in codecs()}
    best = max(offered, key=offered.__getitem__)
    return best if offered[best] > 0 else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
