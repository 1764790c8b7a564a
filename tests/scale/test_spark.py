"""The program of docs/scale.md, run as it stands there, says what `score` says."""

import csv
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

pytest.importorskip("pyspark", reason="Spark is not installed: asd-platform[spark]")

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
RATE = 8000
TRAIN = ("--models", "knn", "--features.n_fft", "512", "--features.hop_length", "512")
CLIPS = ("--clip_seconds", "1", "--sample_rate", str(RATE))


def test_a_table_of_recordings_gets_the_scores_of_the_step(
    program: Callable[..., Any], tmp_path: Path
) -> None:
    recordings = tmp_path / "data" / "recordings"
    rng = np.random.default_rng(0)
    t = np.arange(4 * RATE) / RATE
    for index in range(12):
        label = "abnormal" if index % 6 == 5 else "normal"
        samples = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
        samples += (label == "abnormal") * 0.5 * np.sin(2 * np.pi * 1500 * t)
        (recordings / label).mkdir(parents=True, exist_ok=True)
        soundfile.write(recordings / label / f"{index:02}.wav", samples, RATE)

    def run(*command: str) -> None:
        environment = {"PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable}
        environment |= {"SPARK_LOCAL_IP": "127.0.0.1"}
        with program([sys.executable, *command], tmp_path, environment) as process:
            code = process.wait(PATIENCE_S)
        assert code == 0, (tmp_path / "log").read_text()

    step = ("-m", "entrypoints.main", "--source", "data/recordings", "--name", "fan")
    run(*step, *TRAIN, *CLIPS)
    run("-m", "entrypoints.score", "--source", "data/recordings")
    text = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (recordings / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "table.py").write_text(code, encoding="utf-8")
    run("table.py")

    found = {Path(row["path"]).name: row for row in rows_of(tmp_path / "data" / "scores")}
    broken = found.pop("broken.wav")
    assert broken["error"]
    assert broken["anomaly_score"] is None or np.isnan(broken["anomaly_score"])
    with (tmp_path / "scores" / "files.csv").open(encoding="utf-8-sig", newline="") as file:
        expected = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    assert found.keys() == expected.keys()
    for name, row in expected.items():
        assert found[name]["anomaly_score"] == pytest.approx(float(row["anomaly_score"]), abs=1e-6)
        assert found[name]["is_anomaly"] == (row["is_anomaly"].lower() in ("true", "1"))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pd.read_parquet(folder).to_dict("records")
    return rows
