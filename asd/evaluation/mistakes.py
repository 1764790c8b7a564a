"""What a detector gets wrong: missed anomalies and false alarms, the worst first."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asd.data.manifest import Dataset
from asd.evaluation.table import ScoreTable
from asd.language import tr

MOST = 10
_MOST_BYTES = 1_000_000
"""Longer sounds are named on the page, and not put into it."""


@dataclass(frozen=True)
class Shown:
    """A clip on the page of mistakes."""

    caption: str
    picture: Path
    sound: Path


def mistakes(table: ScoreTable, most: int = MOST) -> dict[str, list[int]]:
    """Row numbers of the worst mistakes, at most `most` of each kind.

    Returns
    -------
    dict
        ``misses``, the lowest scores first, and ``false_alarms``, the highest first.
    """
    order = np.argsort(table.scores, kind="stable")
    missed = (table.anomalous & ~table.is_anomaly)[order]
    wrong = (table.normal & table.is_anomaly)[order]
    return {
        "misses": order[missed][:most].tolist(),
        "false_alarms": order[wrong][::-1][:most].tolist(),
    }


def totals(table: ScoreTable) -> dict[str, int]:
    """How many mistakes there are of each kind."""
    return {
        "misses": int((table.anomalous & ~table.is_anomaly).sum()),
        "false_alarms": int((table.normal & table.is_anomaly).sum()),
    }


def caption(table: ScoreTable, index: int, dataset: Dataset) -> str:
    """What a clip is and how it was judged, a line."""
    clip = table.clips[index]
    name = dataset.file(clip).name
    parts = [
        name,
        tr(
            "score {score:.4g}, threshold {value:.4g}",
            score=table.scores[index],
            value=table.threshold,
        ),
    ]
    if clip.condition:
        parts.append(clip.condition)
    if table.p_values is not None:
        parts.append(tr("p-value {p:.3g}", p=table.p_values[index]))
    return "; ".join(parts)


def page(title: str, numbers: Mapping[str, int], shown: Mapping[str, list[Shown]]) -> str:
    """One HTML page with picture and sound of each mistake, which needs no other file.

    Parameters
    ----------
    title : str
        Detector and data set.
    numbers : mapping
        How many mistakes there are of each kind.
    shown : mapping
        Those that are shown, by kind.
    """
    heads = {
        "misses": tr("Missed: anomalous, and no alarm (the least unusual first)"),
        "false_alarms": tr("False alarms: normal, and an alarm (the most unusual first)"),
    }
    parts = [
        "<!doctype html><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title>",
        "<style>body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}",
        "img{max-width:100%}figure{margin:0 0 2.5rem}audio{width:100%}</style>",
        f"<h1>{html.escape(title)}</h1>",
    ]
    for kind, clips in shown.items():
        parts.append(f"<h2>{heads[kind]}: {numbers[kind]}</h2>")
        if not clips:
            parts.append(f"<p>{tr('none')}</p>")
        parts += [_figure(clip) for clip in clips]
        if len(clips) < numbers[kind]:
            parts.append(f"<p>{tr('and {n} more in scores.csv', n=numbers[kind] - len(clips))}</p>")
    return "\n".join(parts) + "\n"


def _figure(shown: Shown) -> str:
    sound = f"<p>{html.escape(shown.sound.name)} ({tr('long; among the artifacts')})</p>"
    if shown.sound.stat().st_size <= _MOST_BYTES:
        sound = f"<audio controls src='{_inline(shown.sound, 'audio/wav')}'></audio>"
    picture = f"<img src='{_inline(shown.picture, 'image/png')}' alt=''>"
    return f"<figure><figcaption>{html.escape(shown.caption)}</figcaption>{picture}{sound}</figure>"


def _inline(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
