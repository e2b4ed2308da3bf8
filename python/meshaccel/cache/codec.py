"""What values look like in a second level.

The first byte names the format: whatever another program, another version or another setting
wrote is told from ours, and to a cache is a miss.
"""

import hmac
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from meshaccel.errors import CacheOptionError, CodecError

_MSGPACK: Final = b"\x01"
_JSON: Final = b"\x02"
_SIGNED_PICKLE: Final = b"\x03"

MIN_KEY_BYTES: Final = 16
"""A shorter key could be guessed."""

_MAC_BYTES: Final = 32


class MsgpackCodec:
    """MessagePack: compact, and safe to read whoever wrote it. The default.

    Args:
        type: what values are: a ``msgspec.Struct``, a dataclass, ``dict[str, int]``, ... They are
            checked as they are read, and one that does not fit is a miss. Without it, what
            MessagePack has no form for comes back as what stands for it: a tuple or set as a
            list, a struct as a dict.
    """

    def __init__(self, type: Any = Any) -> None:  # noqa: A002 - as msgspec has it
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(type).decode

    def encode(self, value: Any, /) -> bytes:
        """Return the payload of a value.

        Raises:
            CodecError: it cannot be expressed.
        """
        return _MSGPACK + _encoded(self._encode, value)

    def decode(self, payload: bytes, /) -> Any:
        """Return the value of a payload.

        Raises:
            CodecError: it is of another format, damaged, or not of the type.
        """
        return _decoded(self._decode, _body(payload, _MSGPACK))


class JsonCodec:
    """JSON: for stores that people look into. Bytes come back as base64 text without a type.

    Args:
        type: as for ``MsgpackCodec``.
    """

    def __init__(self, type: Any = Any) -> None:  # noqa: A002 - as msgspec has it
        self._encode = msgspec.json.Encoder().encode
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(type).decode

    def encode(self, value: Any, /) -> bytes:
        """Return the payload of a value.

        Raises:
            CodecError: it cannot be expressed.
        """
        return _JSON + _encoded(self._encode, value)

    def decode(self, payload: bytes, /) -> Any:
        """Return the value of a payload.

        Raises:
            CodecError: it is of another format, damaged, or not of the type.
        """
        return _decoded(self._decode, _body(payload, _JSON))


class SignedPickleCodec:
    """Pickle, for values that nothing else expresses; loaded only if signed with the key.

    Loading a pickle runs what it says. Each is signed with HMAC-SHA256, which is checked, in
    constant time, before any of it is looked at: who can write to the store but has no key can
    at most exchange one entry for another.

    Args:
        key: a secret of 16 bytes at least; there is no default.
        former_keys: accepted when reading, while a key is replaced.

    Raises:
        CacheOptionError: a key is too short.
    """

    def __init__(self, key: bytes, *, former_keys: Sequence[bytes] = ()) -> None:
        self._keys = (key, *former_keys)
        for each in self._keys:
            if len(each) < MIN_KEY_BYTES:
                raise CacheOptionError("key", f"at least {MIN_KEY_BYTES} bytes long", len(each))

    def encode(self, value: Any, /) -> bytes:
        """Return the payload of a value.

        Raises:
            CodecError: it cannot be pickled.
        """
        body = _encoded(pickle.dumps, value)
        return _SIGNED_PICKLE + _mac(self._keys[0], body) + body

    def decode(self, payload: bytes, /) -> Any:
        """Return the value of a payload.

        Raises:
            CodecError: it was not signed with a key of ours, or can no longer be loaded.
        """
        signed = _body(payload, _SIGNED_PICKLE)
        mac, body = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
            raise CodecError("the payload is not signed with this key")
        return _decoded(pickle.loads, body)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _SIGNED_PICKLE + body, "sha256")


def _body(payload: bytes, form: bytes) -> bytes:
    if payload[:1] != form:
        raise CodecError(f"the payload is of format {payload[:1]!r}, not {form!r}")
    return payload[1:]


# Both run code of the value's type, which may raise anything.


def _encoded(encode: Callable[[Any], bytes], value: Any) -> bytes:
    try:
        return encode(value)
    except Exception as error:
        raise CodecError(f"cannot express a {type(value).__name__}: {error}") from error


def _decoded(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except Exception as error:
        raise CodecError(f"cannot read the payload: {error}") from error
