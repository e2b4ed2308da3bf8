"""What tells the encoders of others how to write views, which are no dicts and lists to them."""

from typing import Any

from meshaccel._native import MetadataList, MetadataView


def json_default(value: object) -> dict[str, Any] | list[Any]:
    """Turn a view into plain objects: ``json.dumps(record, default=json_default)``.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, MetadataView):
        return value.to_dict()
    return _list(value).to_list()


def orjson_default(value: object) -> object:
    """Write a view as the JSON it is: ``orjson.dumps(record, default=orjson_default)``.

    Nothing is built of it: the pool writes the bytes, and orjson copies them.

    Raises:
        TypeError: It is something else.
        NoJsonFormError: It has a NaN, an infinity, a lone surrogate or a very long integer.
    """
    import orjson  # noqa: PLC0415 (whoever calls this has it; nobody else needs it)

    return orjson.Fragment(_json(value))


def msgspec_hook(value: object) -> object:
    """Write a view as the JSON it is: ``msgspec.json.encode(record, enc_hook=msgspec_hook)``.

    Raises:
        TypeError: It is something else.
        NoJsonFormError: It has a NaN, an infinity, a lone surrogate or a very long integer.
    """
    import msgspec  # noqa: PLC0415 (as above)

    return msgspec.Raw(_json(value))


def _json(value: object) -> bytes:
    return value.to_json() if isinstance(value, MetadataView) else _list(value).to_json()


def _list(value: object) -> MetadataList:
    if isinstance(value, MetadataList):
        return value
    raise TypeError(f"{type(value).__name__} is no view of metadata")
