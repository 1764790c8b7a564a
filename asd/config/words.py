"""What is wrong with a value, in the words of this project instead of the validator's."""

from collections.abc import Callable, Mapping
from typing import Any

from asd.language import tr

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda limit: tr("must be above {limit:g}", limit=limit["gt"]),
    "greater_than_equal": lambda limit: tr("must be at least {limit:g}", limit=limit["ge"]),
    "less_than": lambda limit: tr("must be below {limit:g}", limit=limit["lt"]),
    "less_than_equal": lambda limit: tr("must be at most {limit:g}", limit=limit["le"]),
    "literal_error": lambda limit: tr(
        "must be {expected}", expected=limit["expected"].replace(chr(39), "")
    ),
    "string_too_short": lambda _: tr("must not be empty"),
    "string_pattern_mismatch": lambda _: tr(
        "may hold letters, digits and the signs _ - . only, with no space"
    ),
    "string_type": lambda _: tr("must be text"),
    "dict_type": lambda _: tr("is a group of keys; give one of them, with a dot"),
    "too_short": lambda limit: tr(
        "must hold at least {limit}, separated by commas", limit=limit["min_length"]
    ),
    "too_long": lambda limit: tr(
        "must hold at most {limit}, separated by commas", limit=limit["max_length"]
    ),
    "missing": lambda _: tr("too few values; separate them by commas"),
    "finite_number": lambda _: tr("must be a finite number"),
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float"), lambda _: tr("must be a whole number")
    ),
    **dict.fromkeys(("float_parsing", "float_type"), lambda _: tr("must be a number")),
    **dict.fromkeys(("bool_parsing", "bool_type"), lambda _: tr("must be true or false")),
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
