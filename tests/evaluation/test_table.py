"""Score tables: rows, groups and their file."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asd.data.manifest import COLUMNS
from asd.errors import DetectorError
from asd.evaluation.table import ScoreTable

MakeTable = Callable[..., ScoreTable]


def test_csv_holds_manifest_and_judgement(make_table: MakeTable, tmp_path: Path) -> None:
    rows = [("normal", 0.25, {"path": "clips/炎の音.wav"}), ("anomaly", 0.75, {})]
    plain = make_table(rows)
    table = ScoreTable(plain.clips, plain.scores, np.array([0.5, 0.125]), 0.5)
    table.write_csv(tmp_path / "new" / "scores.csv")
    with (tmp_path / "new" / "scores.csv").open(encoding="utf-8", newline="") as file:
        first, second = list(csv.DictReader(file))
    assert tuple(first)[:-5] == COLUMNS
    assert (first["path"], first["noise_gain_db"]) == ("clips/炎の音.wav", "")
    judged = [
        [row[c] for c in ("anomaly_score", "threshold", "is_anomaly", "p_value")]
        for row in (first, second)
    ]
    assert judged == [["0.25", "0.5", "0", "0.5"], ["0.75", "0.5", "1", "0.125"]]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["scores.csv"]


def test_p_value_is_empty_without_calibration(make_table: MakeTable, tmp_path: Path) -> None:
    make_table([("normal", 0.25, {})]).write_csv(tmp_path / "scores.csv")
    assert (
        (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",0,,quiet")
    )


def test_unknown_is_neither_normal_nor_anomalous(make_table: MakeTable) -> None:
    table = make_table([("unknown", 0.9, {}), ("anomaly", 0.9, {}), ("normal", 0.1, {})])
    assert table.normal.tolist() == [False, False, True]
    assert table.anomalous.tolist() == [False, True, False]
    assert table.is_anomaly.tolist() == [True, True, False]


def test_pitch_groups_come_in_order_of_semitones(make_table: MakeTable) -> None:
    rows = [("normal", 0.1, {"pitch_semitones": p}) for p in (3, -6, 0, 10)]
    table = make_table(rows)
    assert list(table.groups("pitch")) == ["pitch_-6", "pitch_0", "pitch_3", "pitch_10"]
    assert table.select(table.groups("pitch")["pitch_3"]).clips == table.clips[:1]


def test_a_score_that_is_no_number_names_the_clip(make_table: MakeTable) -> None:
    with pytest.raises(DetectorError, match=r"^clips/0001\.wav: its score is NaN or infinite"):
        make_table([("normal", 0.1, {}), ("normal", float("nan"), {})])
