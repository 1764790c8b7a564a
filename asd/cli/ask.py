"""Ask a server about a folder of recordings, and write its answers as a table."""

from pathlib import Path
from typing import Any

import click

from asd.client import URL, Answer, Client
from asd.errors import ServerError
from asd.files import check_writable, write_csv
from asd.language import tr
from asd.progress import ProgressBar
from asd.text import count, printable

COLUMNS = (
    "file", "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows",
    "events", "bands_hz", "times_s", "warnings", "model_version", "error",
)  # fmt: skip


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--url", default=URL, show_default=True, help="the server")
@click.option("--output", default="answers.csv", show_default=True, help="CSV file to write")
@click.option("--machine", default="", help="which machine the recordings are of")
@click.option("--false_alarm_rate", type=click.FloatRange(0, 1, True, True), help="to judge by")
@click.option("--threshold", type=float, help="score to judge by, instead of a rate")
@click.option("--explain/--no-explain", default=True, show_default=True, help="say where and when")
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1), help="at a time")
@click.option("--wait_s", default=0.0, show_default=True, help="for a server that is starting")
def ask(source: Path, url: str, output: str, jobs: int, wait_s: float, **told: Any) -> None:
    """Ask a server about a recording, or a folder of them.

    Nothing but the files goes to the server, and needs no MLflow store. The answers are written as
    CSV, a row a recording; alarms and recordings that could not be judged are shown.
    """
    from asd.audio.folders import find_audio

    paths = find_audio(source)
    target = Path(output)
    check_writable(target.parent, "output")
    machine = told.pop("machine")
    params = {key: value for key, value in told.items() if value is not None}
    answers = Client(url, patience_s=wait_s).judge_all(paths, jobs, machine, **params)
    bar = ProgressBar(answers, total=len(paths), desc=tr("ask"), disable=len(paths) < 2)
    judged = dict(zip(paths, bar, strict=True))
    write_csv(target, COLUMNS, (_row(path, answer) for path, answer in judged.items()), bom=True)
    for line in lines(judged):
        click.echo(printable(line))
    click.echo(tr("written: {target}", target=target))
    failed = sum(bool(answer["error"]) for answer in judged.values())
    if failed:
        raise ServerError(
            tr(
                "{failed} of {recordings} not judged; mend or remove them",
                failed=failed,
                recordings=count(len(judged), "recording"),
            )
        )


def lines(judged: dict[Path, Answer]) -> list[str]:
    """What to tell of answers: how many alarms, which, where; and what could not be judged."""
    alarms = [(path, answer) for path, answer in judged.items() if answer.get("is_anomaly")]
    alarms.sort(key=lambda item: -item[1]["anomaly_score"])
    told = [
        tr(
            "asked about {recordings}: {alarms} with an alarm",
            recordings=count(len(judged), "recording"),
            alarms=len(alarms),
        )
    ]
    for path, answer in alarms:
        where = answer.get("explanation") or {}
        parts = [tr("score {score:.4g}", score=answer["anomaly_score"])]
        if answer["p_value"] is not None:
            parts.append(tr("p-value {p:.3g}", p=answer["p_value"]))
        parts += [f"{spans} {unit}" for unit, spans in _places(where)]
        told.append(f"  {path.name}: {', '.join(parts)}")
    refused = [(path, answer["error"]) for path, answer in judged.items() if answer["error"]]
    told += [
        tr("  {name}: not judged: {reason}", name=path.name, reason=reason)
        for path, reason in refused
    ]
    return told


def _places(explanation: dict[str, Any]) -> list[tuple[str, str]]:
    keys = (("Hz", "bands_hz", ".0f"), ("s", "times_s", ".1f"))
    spans = [(unit, _spans(explanation.get(key), digits, "–", ", ")) for unit, key, digits in keys]
    return [(unit, text) for unit, text in spans if text]


def _spans(
    spans: list[list[float]] | None, digits: str, to: str = " to ", also: str = " and "
) -> str:
    return also.join(f"{low:{digits}}{to}{high:{digits}}" for low, high in spans or ())


def _row(path: Path, answer: Answer) -> list[object]:
    where = answer.get("explanation") or {}
    row = {
        **answer,
        "file": path,
        "events": len(answer.get("events") or ()),
        "bands_hz": _spans(where.get("bands_hz"), ".1f"),
        "times_s": _spans(where.get("times_s"), ".2f"),
        "warnings": "; ".join(answer.get("warnings") or ()),
    }
    if row.get("is_anomaly") is not None:
        row["is_anomaly"] = int(row["is_anomaly"])
    return [row.get(column) for column in COLUMNS]
