"""Every step is killed at several moments and given again: the result is that of one left in peace.

Run by ``make test-faults``; `ASD_FAULT_MOMENTS` says how many moments a step has.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asd.audio.encode import write_wav

PROJECT = Path(__file__).resolve().parents[2]
MOMENTS = int(os.environ.get("ASD_FAULT_MOMENTS", "25"))
TIMED = ("seconds", "latency", "_ms", "per_s")
RATE = 8000

pytestmark = pytest.mark.skipif(
    os.environ.get("ASD_TEST_FAULTS") != "1", reason="takes long; make test-faults runs it"
)

PREPROCESS = ("preprocess", "--source=source", "--output=data/m", "--clip_seconds=1")
TRAIN = ("train", "--data=data/m", "--model=knn")
STEPS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...], str]] = {
    "extract": ((), ("extract", "--source=source", "--output=data/x", "--format=flac"), "data/x"),
    "preprocess": ((), PREPROCESS, "data/m"),
    "overwrite": (
        (PREPROCESS,),
        (*PREPROCESS[:3], "--clip_seconds=2", "--overwrite=true"),
        "data/m",
    ),
    "augment": (
        (PREPROCESS,),
        ("augment", "--data=data/m", "--output=data/a", "--pitch=-2,2"),
        "data/a",
    ),
    "train": ((PREPROCESS,), TRAIN, ""),
    "network": (
        (PREPROCESS,),
        (*TRAIN[:2], "--model=cnn", "--detector.epochs=6", "--threshold.calibration=split"),
        "",
    ),
    "evaluate": ((PREPROCESS, TRAIN), ("evaluate",), ""),
    "promote": ((PREPROCESS, TRAIN), ("promote",), ""),
    "score": ((PREPROCESS, TRAIN, ("promote",)), ("score", "--source=source"), "scores"),
}


class Place:
    """A folder in which steps run as programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tmp").mkdir(parents=True, exist_ok=True)

    def start(self, step: str, *words: str) -> subprocess.Popen[str]:
        known = {
            "PYTHONPATH": str(PROJECT),
            "TMPDIR": str(self.root / "tmp"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.root}/mlflow.db",
        }
        return subprocess.Popen(
            [sys.executable, "-m", f"entrypoints.{step}", *words],
            cwd=self.root,
            env=os.environ | known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, step: str, *words: str) -> float:
        started = time.monotonic()
        process = self.start(step, *words)
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return time.monotonic() - started

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / "mlflow.db")) as connection:
            return connection.execute(text).fetchall()

    def result(self, step: str, output: str) -> dict[str, Any]:
        if output:
            files = sorted(file for file in (self.root / output).rglob("*") if file.is_file())
            return {str(file.relative_to(self.root)): file.read_bytes() for file in files}
        last = (
            "select r.run_uuid from runs r join tags t on t.run_uuid = r.run_uuid and t.key = "
            f"'asd.step' and t.value = '{step}' where r.status = 'FINISHED' "
            "order by r.end_time desc limit 1"
        )
        rows = self.query(f"select key, value from latest_metrics where run_uuid = ({last})")
        found = {key: round(value, 9) for key, value in rows}
        aliases = dict(self.query("select alias, version from registered_model_aliases"))
        return {k: v for k, v in found.items() if not any(t in k for t in TIMED)} | aliases

    def left(self) -> list[str]:
        names = [
            path for path in self.root.rglob(".*") if path.name.startswith((".partial", ".old"))
        ]
        names += [path for path in (self.root / "tmp").iterdir() if "matplotlib" not in path.name]
        return sorted(str(path.relative_to(self.root)) for path in names)


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[tuple[tuple[str, ...], ...]], Path]:
    """Give a folder in which these commands have been run; made once each."""
    folder = tmp_path_factory.mktemp("begun")
    made: dict[tuple[tuple[str, ...], ...], Path] = {}

    def make(commands: tuple[tuple[str, ...], ...]) -> Path:
        if commands not in made:
            before = make(commands[:-1]) if commands else None
            place = folder / str(len(made))
            if before:
                shutil.copytree(before, place)
                Place(place).run(*commands[-1])
            else:
                recordings(place / "source")
            made[commands] = place
        return made[commands]

    return make


def recordings(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["file,label,split"]
    for index in range(14):
        t = np.arange(4 * RATE) / RATE
        knock = index >= 10
        signal_ = 0.2 * np.sin(2 * np.pi * (1500 if knock else 200) * t)
        write_wav(folder / f"r{index:02d}.wav", signal_ + 0.02 * rng.standard_normal(len(t)), RATE)
        rows.append(f"r{index:02d}.wav,{'anomaly,test' if knock else 'normal,'}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")


@pytest.mark.parametrize("name", STEPS)
def test_a_killed_step_given_again(
    name: str, begun: Callable[[tuple[tuple[str, ...], ...]], Path], tmp_path: Path
) -> None:
    before, (step, *words), output = STEPS[name]
    start = begun(before)
    peace = Place(tmp_path / "peace" / "p")
    shutil.copytree(start, peace.root, dirs_exist_ok=True)
    seconds = peace.run(step, *words)
    right = peace.result(step, output)
    assert right
    for moment in range(MOMENTS):
        # One folder after the other, under one path: a data set knows where it was made.
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        place = Place(tmp_path / "killed" / "p")
        shutil.copytree(start, place.root, dirs_exist_ok=True)
        process = place.start(step, *words)
        time.sleep(seconds * (moment + 0.5) / MOMENTS)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        place.run(step, *words)
        told = f"killed at {moment + 0.5:g} of {MOMENTS}"
        found = place.result(step, output)
        assert found.keys() == right.keys(), told
        assert [
            key for key in right if found[key] != right[key] and "made.json" not in key
        ] == [], told
        assert place.query("select name from runs where status in ('RUNNING', 'SCHEDULED')") == []
        assert place.left() == [], told
