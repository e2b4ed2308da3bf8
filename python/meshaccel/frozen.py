"""Documents that several records share, and that therefore nobody may change.

They are equal to plain dicts and lists, and json, orjson, msgspec and whatever else looks for
dicts and lists takes them as such. To change one, make a plain copy::

    config = copy.deepcopy(record["config"])
"""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList"]


def _refuse(self: object, /, *_args: object, **_kwargs: object) -> NoReturn:
    raise TypeError(f"{type(self).__name__} is shared and read-only: change a copy.deepcopy of it")


class FrozenDict(dict[str, Any]):
    """A dict that is filled when it is made and cannot be changed afterwards.

    ``copy()`` and ``copy.copy`` give a plain dict of the same values, ``copy.deepcopy`` and
    ``pickle`` plain values at every level.
    """

    __slots__ = ("_filled",)
    _filled: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if hasattr(self, "_filled"):
            _refuse(self)
        super().__init__(*args, **kwargs)
        self._filled = True

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __reduce__(self) -> tuple[type, tuple[()], None, None, Iterator[tuple[str, Any]]]:
        return dict, (), None, None, iter(self.items())


class FrozenList(list[Any]):
    """A list that is filled when it is made and cannot be changed afterwards.

    ``copy()`` and ``copy.copy`` give a plain list of the same values, ``copy.deepcopy`` and
    ``pickle`` plain values at every level.
    """

    __slots__ = ("_filled",)
    _filled: bool

    def __init__(self, values: Iterable[Any] = (), /) -> None:
        if hasattr(self, "_filled"):
            _refuse(self)
        super().__init__(values)
        self._filled = True

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __copy__(self) -> list[Any]:
        return self.copy()

    def __reduce__(self) -> tuple[type, tuple[()], None, Iterator[Any]]:
        return list, (), None, iter(self)
