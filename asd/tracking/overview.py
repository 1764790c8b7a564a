"""What the store holds, as tables for the terminal."""

from datetime import datetime

from asd.errors import TrackingError
from asd.language import tr
from asd.text import markdown_table
from asd.tracking import champions, registry
from asd.tracking.runs import STEP_TAG
from asd.tracking.store import client, recent_runs
from asd.tracking.tracked import SECONDS_PARAM

_SHOWN = ("auc", "pauc", "recall", "false_alarm_rate")


def newest_runs(most: int) -> list[str]:
    """The newest runs: when, which, how they ended and the figures that matter.

    Raises
    ------
    TrackingError
        The store cannot be read.
    """
    rows = []
    for run in recent_runs(f"tags.`{STEP_TAG}` != ''", most):
        when = datetime.fromtimestamp(run.info.start_time / 1000).strftime("%m-%d %H:%M")
        figures = [
            f"{run.data.metrics[key]:.3f}" if key in run.data.metrics else "" for key in _SHOWN
        ]
        name = run.data.tags.get("mlflow.runName", "")
        rows.append([when, name, run.info.status.lower(), *figures, run.info.run_id])
    if not rows:
        return [tr("no run yet")]
    return markdown_table([tr("started"), tr("run"), tr("status"), *_SHOWN, "id"], rows, "lllrrrrl")


def newest_pace(step: str) -> tuple[float, float] | None:
    """How long the newest run of a step took that ended well, and for how much sound.

    Returns
    -------
    taken, sound : float
        Both in seconds; None where there is no such run.
    """
    done = f"tags.`{STEP_TAG}` = '{step}' and attributes.status = 'FINISHED'"
    for run in recent_runs(done, 20):
        sound = float(run.data.params.get(SECONDS_PARAM, 0))
        if sound > 0:
            return (run.info.end_time - run.info.start_time) / 1000, sound
    return None


def champion_lines(name: str) -> list[str]:
    """The champions of all machines, or what is known of one.

    Raises
    ------
    TrackingError
        The machine has none.
    """
    known = champions.champions()
    if not name:
        rows = [
            [machine, version, registry.model_of(machine, version).name]
            for machine, version in known.items()
        ]
        columns = [tr("machine"), tr("version"), tr("model")]
        return markdown_table(columns, rows, "lrl") if rows else [tr("none")]
    if name not in known:
        raise TrackingError(
            tr(
                "name={name}: has no champion; those that have: {known}",
                name=name,
                known=", ".join(known),
            )
        )
    version = client().get_model_version(name, known[name])
    head = tr(
        "{address}: version {number}", address=champions.address(name), number=version.version
    )
    return [head, *(version.description or "").splitlines()]
