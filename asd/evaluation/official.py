"""The scores by which DCASE Task 2 ranks systems, and the files it wants.

Clips belong to a section: their `machine` is ``<machine>/section_00`` (2021 and later) or
``<machine>/id_00`` (2020).
"""

import csv
import logging
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from statistics import harmonic_mean

import numpy as np

from asd.errors import DataError
from asd.evaluation.metrics import MAX_FPR, auc
from asd.evaluation.table import ScoreTable
from asd.files import atomic_path
from asd.language import tr

DOMAINS = ("source", "target")

logger = logging.getLogger(__name__)


def dcase2020(table: ScoreTable) -> dict[str, float]:
    """Scores of DCASE 2020 Task 2 (Koizumi et al. 2020, section 3).

    Parameters
    ----------
    table : ScoreTable
        Scored clips of one or more machines.

    Returns
    -------
    dict
        `official.auc.<machine>.<section>` and `official.pauc.<machine>.<section>` (up to a
        false-positive rate of 0.1, standardised after McClish as the organisers' code does), their
        arithmetic means over sections, `official.auc.<machine>`, and over machines,
        `official.auc`; the same for `pauc`. Sections that lack a class are left out, with a
        warning.

    Raises
    ------
    DataError
        A clip's machine does not name a section, or no section has both classes.
    """
    scores: dict[str, float] = {}
    for metric, max_fpr in (("auc", None), ("pauc", MAX_FPR)):
        by_machine: dict[str, list[float]] = {}
        for (machine, section), part in _scorable_sections(table).items():
            value = auc(part.scores[part.normal], part.scores[part.anomalous], max_fpr)
            scores[f"official.{metric}.{machine}.{section}"] = value
            by_machine.setdefault(machine, []).append(value)
        means = {machine: _mean(values) for machine, values in by_machine.items()}
        scores |= {f"official.{metric}.{machine}": value for machine, value in means.items()}
        scores[f"official.{metric}"] = _mean(means.values())
    return scores


def dcase2023(table: ScoreTable) -> dict[str, float]:
    """Scores of DCASE 2023 Task 2 and later (Dohi et al. 2023, equations 1 to 3).

    The AUC of a domain is that of the domain's normal clips against all anomalies of the section,
    of either domain. The partial AUC, up to a false-positive rate of 0.1 and standardised after
    McClish as the organisers' code does, is that of the whole section.

    Parameters
    ----------
    table : ScoreTable
        Scored clips of one or more machines.

    Returns
    -------
    dict
        `official.<metric>.<machine>.<section>` with the metrics `auc_source`, `auc_target` and
        `pauc`; harmonic means over sections `official.<metric>.<machine>`; over all sections
        `official.<metric>`; over all metrics of a machine `official.score.<machine>`; and over
        everything the official score, `official.score`. A domain without normal clips and a
        section that lacks a class are left out, with a warning.

    Raises
    ------
    DataError
        A clip's machine does not name a section, or no section has both classes.
    """
    scores: dict[str, float] = {}
    groups: dict[str, list[float]] = {}
    for (machine, section), part in _scorable_sections(table).items():
        for metric, value in _section_2023(part, f"{machine}/{section}").items():
            scores[f"official.{metric}.{machine}.{section}"] = value
            for group in (f"{metric}.{machine}", metric, f"score.{machine}", "score"):
                groups.setdefault(group, []).append(value)
    return scores | {f"official.{group}": harmonic_mean(part) for group, part in groups.items()}


def by_file(table: ScoreTable) -> ScoreTable:
    """One row for each file of the challenge, under its own name.

    A file that was cut into several clips has the score of its most anomalous one, so that it is
    judged anomalous when one of them is.

    Parameters
    ----------
    table : ScoreTable
        Scored clips as `preprocess` cut them.

    Raises
    ------
    DataError
        A clip was shifted in pitch or has another sound laid over it.
    """
    groups: dict[str, list[int]] = {}
    for row, clip in enumerate(table.clips):
        if clip.noise or clip.pitch_semitones:
            raise DataError(
                tr(
                    "{clip}: official scores are those of the files as they came; evaluate "
                    "the data set that augment started from",
                    clip=clip.path,
                )
            )
        groups.setdefault(clip.recording, []).append(row)
    worst = np.array([max(rows, key=lambda row: table.scores[row]) for rows in groups.values()])
    clips = []
    for recording, row in zip(groups, worst, strict=True):
        name = PurePosixPath(recording).name.removesuffix(".wav")
        clips.append(table.clips[row].model_copy(update={"path": f"{name}.wav"}))
    return ScoreTable(tuple(clips), table.scores[worst], None, table.threshold)


def write_files(table: ScoreTable, folder: Path) -> list[Path]:
    """Write the files of a submission, two a section, without header.

    ``anomaly_score_<machine>_section_00_test.csv`` holds file name and score, and
    ``decision_result_<machine>_section_00_test.csv`` file name and 0 (normal) or 1; for sections
    ``id_00`` the names end there, as they did in 2020.

    Parameters
    ----------
    table : ScoreTable
        Scored clips, one a file (`by_file`); labels are not needed.
    folder : Path
        Made where it is missing.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    DataError
        A clip's machine does not name a section.
    """
    written = []
    for (machine, section), part in _sections(table).items():
        tail = section if section.startswith("id_") else f"{section}_test"
        columns = {
            "anomaly_score": [repr(float(score)) for score in part.scores],
            "decision_result": [str(int(alarm)) for alarm in part.is_anomaly],
        }
        for kind, values in columns.items():
            path = folder / f"{kind}_{machine}_{tail}.csv"
            with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as f:
                names = (PurePosixPath(clip.path).name for clip in part.clips)
                csv.writer(f, lineterminator="\n").writerows(zip(names, values, strict=True))
            written.append(path)
    return written


def _section_2023(part: ScoreTable, name: str) -> dict[str, float]:
    anomalies = part.scores[part.anomalous]
    values = {}
    for domain in DOMAINS:
        here = np.array([clip.domain == domain for clip in part.clips])
        if (part.normal & here).any():
            values[f"auc_{domain}"] = auc(part.scores[part.normal & here], anomalies)
        else:
            logger.warning("%s: no normal clip of the %s domain; left out", name, domain)
    values["pauc"] = auc(part.scores[part.normal], anomalies, MAX_FPR)
    return values


def _scorable_sections(table: ScoreTable) -> dict[tuple[str, str], ScoreTable]:
    """The sections in which both classes are known."""
    sections = {}
    for (machine, section), part in _sections(table).items():
        if part.normal.any() and part.anomalous.any():
            sections[machine, section] = part
        else:
            logger.warning("%s/%s lacks normal or anomalous clips; left out", machine, section)
    if not sections:
        raise DataError(
            tr(
                "official scores: no section holds both normal and anomalous clips; they "
                "need a test set with labels"
            )
        )
    return sections


def _sections(table: ScoreTable) -> dict[tuple[str, str], ScoreTable]:
    parts = {}
    for name, members in table.groups("machine").items():
        machine, _, section = name.rpartition("/")
        if not machine or not section.startswith(("section_", "id_")):
            raise DataError(
                tr(
                    "machine={name!r}: official scores need <machine>/section_00 or "
                    "<machine>/id_00; preprocess a DCASE tree as it was unpacked",
                    name=name,
                )
            )
        parts[machine, section] = table.select(members)
    return parts


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
