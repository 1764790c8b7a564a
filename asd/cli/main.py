"""The ``asd`` command: every step of MLproject, and a look at what there is."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import click

from asd.cli import lists
from asd.cli.ask import ask
from asd.cli.early import check
from asd.cli.extent import extent
from asd.cli.follow import follow
from asd.cli.launch import USER_ERROR, launch
from asd.config import steps
from asd.config.base import Config
from asd.config.cli import PROGRAM, fields, hint, load, plain
from asd.config.recipes import recipe_names
from asd.detectors import names
from asd.errors import AsdError, ConfigError
from asd.language import tr

STEPS: dict[str, tuple[str, type[Config]]] = {
    "main": ("main", steps.MainConfig),
    "extract": ("extract", steps.ExtractConfig),
    "preprocess": ("preprocess", steps.PreprocessConfig),
    "augment": ("augment", steps.AugmentConfig),
    "train": ("train", steps.TrainConfig),
    "train_machines": ("train_machines", steps.TrainMachinesConfig),
    "import": ("import_checkpoint", steps.ImportConfig),
    "evaluate": ("evaluate", steps.EvaluateConfig),
    "compare": ("compare", steps.CompareConfig),
    "sweep": ("sweep", steps.SweepConfig),
    "threshold": ("threshold", steps.MoveThresholdConfig),
    "recalibrate": ("recalibrate", steps.RecalibrateConfig),
    "promote": ("promote", steps.PromoteConfig),
    "rollback": ("rollback", steps.RollbackConfig),
    "score": ("score", steps.ScoreConfig),
}
"""Entry points by name: the module of `asd.steps`, and what it can be told."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """Hear when a machine stops running well.

    Every step is an MLflow run, kept in mlflow.db and mlruns/ of the present folder. The same steps
    are there as `mlflow run . -e STEP`.
    """


def _step(name: str, module: str, config: type[Config]) -> click.Command:
    """A subcommand that does what ``mlflow run . -e <name>`` does."""

    def call(**given: Any) -> None:
        rest = given.pop("rest")
        dry = given.pop("dry_run")
        quiet, verbose = given.pop("quiet"), given.pop("verbose")
        if quiet and verbose:
            raise ConfigError(tr("--quiet and --verbose contradict each other; give one of them"))
        level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
        words = [word for key, value in given.items() if value for word in _pair(key, value)]
        if dry:
            _dry(name, config, [*words, *rest])
        else:
            launch(module, config, [*words, *rest], level)

    params: list[click.Parameter] = [_option(key, field) for key, field in fields(config)]
    params.append(click.Option(["--config"], metavar="YAML", help="file with any of these keys"))
    params.append(
        click.Option(
            ["--dry-run"], is_flag=True, help="check the words, say how much there is to do, stop"
        )
    )
    params.append(click.Option(["--quiet"], is_flag=True, help="say warnings and errors only"))
    params.append(click.Option(["--verbose"], is_flag=True, help="say more, libraries' logs too"))
    params.append(click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED))
    return click.Command(
        name,
        callback=call,
        params=params,
        help=config.__doc__,
        # Fields of detectors, as --detector.k 3, are known to their own files only.
        context_settings={"ignore_unknown_options": True},
    )


def _pair(key: str, value: str) -> tuple[str, str]:
    return f"--{key.replace('__', '.')}", value


def _option(key: str, field: Any) -> click.Option:
    return click.Option(
        [f"--{key}", key.replace(".", "__")],
        metavar=_choices(key, field.annotation) or key.rpartition(".")[2].upper(),
        help=hint(field),
        shell_complete=_completion(key, field.annotation),
    )


def _words(key: str, annotation: Any) -> list[str]:
    """What may stand after an option, where that is a short list."""
    if key in ("model", "models"):
        return sorted([*names(), *recipe_names()])
    if annotation is bool:
        return ["true", "false"]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []


def _choices(key: str, annotation: Any) -> str:
    return "|".join(_words(key, annotation))


def _completion(key: str, annotation: Any) -> Any:
    def complete(context: click.Context, option: click.Parameter, begun: str) -> list[str]:
        del context, option
        return [word for word in _words(key, annotation) if word.startswith(begun)]

    return complete


def _dry(step: str, config: type[Config], words: Sequence[str]) -> None:
    """Say what a step would be told, after the checks that take no time."""
    parsed = load(config, words)
    check(parsed)
    for key, value in parsed.flat().items():
        click.echo(f"{key}={plain(value)}")
    for line in extent(step, parsed):
        click.echo(line)


for _name, (_module, _config) in STEPS.items():
    app.add_command(_step(_name, _module, _config))
for _listing in (lists.models, lists.data, lists.runs, lists.champion, ask, follow):
    app.add_command(_listing)


def main() -> None:
    """Run the command line of this process."""
    # Set for the commands that the step prints.
    os.environ[PROGRAM] = "asd"
    try:
        app(args=sys.argv[1:], prog_name="asd")
    except AsdError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(USER_ERROR) from error
