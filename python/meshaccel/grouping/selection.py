"""Which records of a shape to read, and the statements and parameters that say so to a driver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshaccel.shape import ParamStyle, Plan, Shape, Statement

Parameters = Mapping[str, object] | Sequence[object]
"""Values of a statement's parameters, by name or in order, as the driver wants them."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The arguments of one reading.

    Raises:
        ValueError: They contradict each other.
    """

    shape: Shape
    params: Parameters | None = None
    plan: Plan | None = None
    after: Sequence[object] | None = None
    limit: int | None = None
    sql: str | Sequence[Statement] | None = None

    def __post_init__(self) -> None:
        if self.sql is not None and (self.plan, self.after, self.limit) != (None, None, None):
            raise ValueError("with sql of your own, plan, after and limit are yours to write")
        if self.sql is not None and not self.sql:
            raise ValueError("sql must be a statement, or one for each level")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 0):
            raise ValueError(f"limit must be a number of records, got {self.limit!r}")
        if self.after is not None:
            _check_cursor(self.shape, self.after)

    def bound(self, paramstyle: ParamStyle) -> list[tuple[Statement, Parameters]]:
        """Return the statements, in the order to run them, with their parameters.

        Raises:
            ValueError: The parameters do not fit the style, or use a reserved name.
        """
        own = self._page()
        if paramstyle == "numeric_dollar":
            values = self._positional()
            parameters: Parameters = [*values, *own.values()]
            count = len(values)
        else:
            parameters = {**self._named(own), **own}
            count = 0
        return [(statement, parameters) for statement in self._statements(paramstyle, count)]

    def _statements(self, paramstyle: ParamStyle, count: int) -> Sequence[Statement]:
        if self.sql is None:
            return self.shape.sql(
                self.plan,
                paramstyle=paramstyle,
                after=self.after is not None,
                limit=self.limit is not None,
                params=count,
            )
        if isinstance(self.sql, str):
            return (Statement(None, self.sql),)
        return self.sql

    def _page(self) -> dict[str, object]:
        values = {f"page_after_{n}": value for n, value in enumerate(self.after or ())}
        return values if self.limit is None else {**values, "page_limit": self.limit}

    def _named(self, own: Mapping[str, object]) -> Mapping[str, object]:
        params = {} if self.params is None else self.params
        if not isinstance(params, Mapping):
            raise ValueError(  # noqa: TRY004 - the value does not fit the driver, not the signature
                f"this driver takes parameters by name: params must be a mapping,"
                f" not {type(params).__name__}"
            )
        reserved = own.keys() & params.keys()
        if reserved:
            raise ValueError(f"the parameter name {min(reserved)!r} is reserved")
        return params

    def _positional(self) -> Sequence[object]:
        params = () if self.params is None else self.params
        if isinstance(params, Mapping | str):
            raise ValueError(  # noqa: TRY004
                f"this driver takes parameters in order: params must be a sequence,"
                f" not {type(params).__name__}"
            )
        return params


def _check_cursor(shape: Shape, after: object) -> None:
    columns = shape.cursor_columns
    if isinstance(after, str) or not isinstance(after, Sequence):
        raise ValueError(f"after must be a cursor of Shape.cursor, got {after!r}")  # noqa: TRY004
    if len(after) != len(columns):
        raise ValueError(f"after must have {len(columns)} values, for {', '.join(columns)}")
    if None in after:
        raise ValueError(f"a record whose {', '.join(columns)} is NULL has no place to go on from")
