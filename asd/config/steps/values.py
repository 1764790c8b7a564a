"""Types of values that several steps share, as they are typed on a command line."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from asd.config.base import Documented
from asd.config.features import LogMelConfig
from asd.language import tr


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _channel(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = {"": None, "mix": None, "left": 0, "right": 1}
    word = value.strip().lower()
    if word not in words and not word.isdecimal():
        raise ValueError(tr("must be left, right, mix or a number from 0"))
    return words[word] if word in words else int(word)


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(tr("write the lower number first, as in -10,10"))
    return pair


def _checked_features(fields: dict[str, Any]) -> dict[str, Any]:
    """Refuse a wrong field of log-mel at once; those of other front ends wait for their file."""
    if fields.get("name", "logmel") == "logmel":
        LogMelConfig.parse({k: v for k, v in fields.items() if k != "name"}, "features.")
    return fields


FeatureFields = Annotated[
    dict[str, Any], AfterValidator(_checked_features), Documented(LogMelConfig)
]
Truncated = Literal["refuse", "accept"]
Channel = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_channel)]
Words = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_commas)]
Range = Annotated[tuple[float, float], BeforeValidator(_split_commas), AfterValidator(_ordered)]
Fractions = Annotated[tuple[float, float, float], BeforeValidator(_split_commas)]

DEMO = "demo"
DEMO_DATA = "data/demo"
MachineName = Annotated[str, Field(pattern=r"^[\w.-]*$")]
"""Name of a registered model: letters and digits of any script, ``_``, ``-`` and ``.``."""
