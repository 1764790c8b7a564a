"""All steps and their keys as a page, from the configs themselves: ``docs/reference.md``."""

import sys
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from asd import detectors, features
from asd.cli.main import STEPS
from asd.config.base import Config
from asd.config.cli import fields, meaning, plain, usual

_HEAD = """# Reference

Every step and every key, as `mlflow run . --env-manager local -e STEP -P key=value` and
`asd STEP --key value` understand them. Made by `make reference` from the configs in `asd/config`.
"""


def page() -> str:
    """The page, as Markdown."""
    lines = [_HEAD]
    for name, (_, config) in STEPS.items():
        lines += [f"## {name}", "", _summary(config), "", *_table(config), ""]
    lines += ["## Fields of detectors", "", "Given as `detector.<field>`.", ""]
    for name in detectors.names():
        lines += _owned(name, detectors.detector_class(name).Config)
    lines += [
        "## Fields of front ends",
        "",
        "Given as `features.<field>`, with `features.name`.",
        "",
    ]
    for name in features.names():
        lines += _owned(name, features.front_end_class(name).Config)
    return "\n".join(lines).rstrip() + "\n"


def _owned(name: str, config: type[Config]) -> list[str]:
    rows = _table(config)
    return [f"### {name}", "", *(rows or ["No fields."]), ""]


def _summary(config: type[Config]) -> str:
    return (config.__doc__ or "").strip().partition("\n\n")[0]


def _table(config: type[Config]) -> list[str]:
    rows = [_row(key, field) for key, field in fields(config)]
    return ["| key | default | meaning |", "|---|---|---|", *rows] if rows else []


def _row(key: str, field: Any) -> str:
    default = (
        "required"
        if field.is_required()
        else _code(plain(usual(field)) if usual(field) != {} else "")
    )
    choices = ", ".join(map(_code, _words(field.annotation)))
    text = f"{meaning(field)} One of {choices}." if choices else meaning(field)
    return f"| `{key}` | {default} | {_plain(text)} |"


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is not None and all(isinstance(a, str) for a in get_args(annotation)):
        yield from (word for word in get_args(annotation) if word)


def _plain(text: str) -> str:
    """A text without what Markdown takes for a column or a tag."""
    return text.replace("|", r"\|").replace("<", r"\<")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.stdout.write(page())
