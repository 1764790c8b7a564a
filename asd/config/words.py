"""What is wrong with a value, in the words of this project instead of the validator's."""

from collections.abc import Callable, Mapping
from typing import Any

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda limit: f"must be above {limit['gt']:g}",
    "greater_than_equal": lambda limit: f"must be at least {limit['ge']:g}",
    "less_than": lambda limit: f"must be below {limit['lt']:g}",
    "less_than_equal": lambda limit: f"must be at most {limit['le']:g}",
    "literal_error": lambda limit: f"must be {limit['expected'].replace(chr(39), '')}",
    "string_too_short": lambda _: "must not be empty",
    "string_pattern_mismatch": lambda _: (
        "may hold letters, digits and the signs _ - . only, with no space"
    ),
    "string_type": lambda _: "must be text",
    "dict_type": lambda _: "is a group of keys; give one of them, with a dot",
    "too_short": lambda limit: f"must hold at least {limit['min_length']}, separated by commas",
    "too_long": lambda limit: f"must hold at most {limit['max_length']}, separated by commas",
    "missing": lambda _: "too few values; separate them by commas",
    "finite_number": lambda _: "must be a finite number",
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float"), lambda _: "must be a whole number"
    ),
    **dict.fromkeys(("float_parsing", "float_type"), lambda _: "must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), lambda _: "must be true or false"),
}


def what_is_wrong(problem: Mapping[str, Any]) -> str:
    """A sentence without its subject, as "must be above 0".

    Parameters
    ----------
    problem : mapping
        One of pydantic's error details: ``type``, ``msg`` and, for limits, ``ctx``.
    """
    words = _WORDS.get(problem["type"])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    return words(problem.get("ctx", {}))
