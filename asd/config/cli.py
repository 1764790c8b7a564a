"""From a command line and a YAML file to a typed config.

The grammar is the one in which MLflow calls an entry point: ``--key value`` pairs, dotted for
nested keys. An empty value means "not given", so that a parameter that MLproject declares can
leave the word to the YAML file.
"""

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from asd.config.base import Config, Documented, flatten
from asd.errors import ConfigError
from asd.language import tr

T = TypeVar("T", bound=Config)

_LARGEST_YAML = 1_000_000
_DEEPEST_YAML = 20

HELP_WORDS = {"-h", "--help"}
PROGRAM = "ASD_PROGRAM"
"""Environment variable that says which program started the step: ``asd``, or not set."""


def load(config: type[T], argv: Sequence[str]) -> T:
    """Build a config: defaults, then the YAML file (``--config``), then the command line.

    Raises
    ------
    ConfigError
        A word is not ``--key value``, a key is unknown, or a value does not fit.
    """
    given = {key: value for key, value in _pairs(argv) if value != ""}
    path = given.pop("config", "")
    values = read_yaml(Path(_at_home(path))) if path else {}
    pairs = [*flatten(values).items(), *given.items()]
    return config.parse(_nested([(key, _at_home(value)) for key, value in pairs]))


def help_text(config: type[Config], program: str) -> str:
    """The text that ``--help`` prints: every key with its meaning and default.

    Parameters
    ----------
    config : type of Config
        Whose keys are listed, as ``key=VALUE``: so they stand after ``-P``.
    program : str
        The command that users type, as ``mlflow run . -e train``.
    """
    parser = argparse.ArgumentParser(
        program,
        description=config.__doc__,
        usage="%(prog)s [-P key=value ...]",
        add_help=False,
        formatter_class=_OneKeyALine,
    )
    parser.add_argument("--config", metavar="YAML", help="file with any of the keys below")
    for key, field in fields(config):
        metavar = key.rpartition(".")[2].upper()
        parser.add_argument(f"--{key}", metavar=metavar, help=hint(field).replace("%", "%%"))
    return parser.format_help()


class _OneKeyALine(argparse.HelpFormatter):
    def _format_action_invocation(self, action: argparse.Action) -> str:
        return f"{action.dest}={action.metavar}"


def plain(value: Any) -> str:
    """A value as it is typed on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ",".join(plain(part) for part in value)
    return "" if value is None else str(value)


def usual(field: Any) -> Any:
    """The default of a field; of one that is required, pydantic's mark for "not given"."""
    return field.get_default(call_default_factory=True, validated_data={})


def meaning(field: Any) -> str:
    """What a field means, on one line."""
    return " ".join((field.description or "").split())


def hint(field: Any) -> str:
    """What ``--help`` says of a field: its meaning and its default."""
    default = "required" if field.is_required() else f"default: {plain(usual(field))}"
    return f"{meaning(field)} ({default})"


def fields(config: type[Config], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of a config with its field: the step's own first, the unlogged last."""
    own = config.__annotations__
    ordered = sorted(
        config.model_fields.items(), key=lambda n: (bool(n[1].exclude), n[0] not in own)
    )
    for name, field in ordered:
        documented = [mark for mark in field.metadata if isinstance(mark, Documented)]
        kind = documented[0].config if documented else field.annotation
        if isinstance(kind, type) and issubclass(kind, Config):
            yield from fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def _pairs(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = iter(argv)
    for word in words:
        if not word.startswith("--") or word == "--":
            raise ConfigError(
                tr("{word!r}: expected --key value, as in --features.n_mels 64", word=word)
            )
        key, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            try:
                value = next(words)
            except StopIteration:
                raise ConfigError(
                    tr("--{key}: a value must follow, as in --{key} VALUE", key=key)
                ) from None
        yield key, value


def _read(path: Path) -> Any:
    """The content of a YAML file of a size and shape that settings have.

    A few hundred bytes of aliases stand for more lists than memory holds, and lists in lists go
    as deep as the interpreter's stack.
    """
    with path.open("rb") as file:
        text = file.read(_LARGEST_YAML + 1).decode("utf-8")
    if len(text) > _LARGEST_YAML:
        raise ValueError(tr("longer than {most} characters", most=_LARGEST_YAML))
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST_YAML:
            raise ValueError(tr("lists or keys nested more than {most} deep", most=_DEEPEST_YAML))
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(
                tr("*{anchor} is an alias; write the value itself", anchor=event.anchor)
            )
    return yaml.safe_load(text)


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The keys of a YAML file.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds something else than keys.
    """
    try:
        values = _read(path)
    except OSError as error:
        raise ConfigError(
            tr("config={path}: cannot be read ({reason})", path=path, reason=error.strerror)
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            tr("config={path}: not a YAML file ({reason})", path=path, reason=reason)
        ) from error
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ConfigError(tr("config={path}: must hold lines of key: value", path=path))
    return values


def _at_home(value: Any) -> Any:
    """A path with ``~`` for the home folder, or several with commas between, written out."""
    if not isinstance(value, str) or "~" not in value:
        return value
    return ",".join(os.path.expanduser(part) for part in value.split(","))  # noqa: PTH111


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Dotted keys as nested mappings; a later pair replaces an earlier one."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        *parents, last = key.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(
                    tr("{key}: {parent} is a value, not a group of keys", key=key, parent=parent)
                )
        node[last] = value
    return root
