"""What there is: models, data sets, runs, champions."""

from collections import Counter
from pathlib import Path

import click

from asd.errors import AsdError
from asd.language import tr
from asd.text import markdown_table


@click.command()
def models() -> None:
    """The words that may stand after --model."""
    from asd.config.recipes import recipe_names
    from asd.detectors import names

    for name in sorted([*names(), *recipe_names()]):
        click.echo(name)


@click.command()
@click.argument("folder", default="data")
def data(folder: str) -> None:
    """The data sets below a folder, with their clips."""
    rows, unread = [], []
    for path in sorted(Path(folder).rglob("manifest.csv")):
        try:
            rows.append(_row(path.parent))
        except AsdError as error:  # one that is broken does not hide the others
            unread.append(tr("not read: {error}", error=error))
    columns = [tr("data"), "train", "valid", "test", tr("anomalies"), tr("recordings")]
    lines = markdown_table(columns, rows) if rows else []
    for line in [*lines, *unread] or [tr("{folder}: no data set in it", folder=folder)]:
        click.echo(line)


@click.command()
@click.option("--most", default=20, show_default=True, help="how many, the newest first")
def runs(most: int) -> None:
    """The newest runs of the store, with their figures."""
    from asd.tracking.overview import newest_runs

    for line in newest_runs(most):
        click.echo(line)


@click.command()
@click.argument("name", default="")
def champion(name: str) -> None:
    """Which model is in service, of one machine or of all."""
    from asd.tracking.overview import champion_lines

    for line in champion_lines(name):
        click.echo(line)


def _row(folder: Path) -> list[str]:
    from asd.data import manifest

    clips = manifest.load(folder).clips
    sides = Counter(clip.split for clip in clips)
    anomalies = sum(clip.label == "anomaly" for clip in clips)
    recordings = len({clip.recording for clip in clips})
    numbers = (sides["train"], sides["valid"], sides["test"], anomalies, recordings)
    return [str(folder), *map(str, numbers)]
