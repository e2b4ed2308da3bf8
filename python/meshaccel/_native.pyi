"""The compiled half of meshaccel. Import the public faces instead (``meshaccel.grouping``)."""

from collections.abc import Iterable
from typing import Final, final

from meshaccel.shape import Row, Shape

__all__ = ["RowGrouper", "__version__"]

__version__: Final[str]
"""Version of the Rust crates, equal to the version of the Python distribution."""

@final
class RowGrouper:
    """Folds the rows of one shape into nested dicts. The face is ``meshaccel.grouping``."""

    def __new__(cls, shape: Shape) -> RowGrouper: ...
    def group(self, rows: Iterable[Row], /) -> list[dict[str, object]]:
        """Fold rows into one dict per distinct key, in first-seen order.

        Takes O(values) time and memory. Other threads get the GIL after
        ``sys.getswitchinterval()`` seconds, as in a loop in Python; signal handlers run too.

        Raises:
            GroupingError: A row does not fit the shape.
        """
