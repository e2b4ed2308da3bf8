"""What a cache says when it has no value, even where None is one."""

from enum import Enum
from typing import Final, Literal


class Miss(Enum):
    """The type of ``MISS``."""

    MISS = "MISS"


MISS: Final[Literal[Miss.MISS]] = Miss.MISS
"""A default for ``TagCache.get`` that is no value: tells a miss from a cached None."""
