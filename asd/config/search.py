"""What a sweep tries of a field, written beside its type.

As in ``k: Annotated[int, Search(1, 16, log=True)] = 1`` or
``score: Annotated[str, Choose("mse", "mahalanobis")] = "mse"``.
"""

from pydantic.fields import FieldInfo

Value = str | int | float | bool | None


class Search:
    """Numbers from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
        The ends, in the unit of the field.
    log : bool
        Whether ratios count, rather than differences.
    """

    def __init__(self, low: float, high: float, log: bool = False) -> None:
        self.low, self.high, self.log = low, high, log


class Choose:
    """A few values without an order.

    Parameters
    ----------
    *values : str, int, float, bool or None
        The values.
    """

    def __init__(self, *values: Value) -> None:
        self.values = values


def declared_values(field: FieldInfo) -> list[Value]:
    """The choices that a field declares, or the ends of its range; empty for neither."""
    for mark in field.metadata:
        if isinstance(mark, Choose):
            return list(mark.values)
        if isinstance(mark, Search):
            return [mark.low, mark.high]
    return []
