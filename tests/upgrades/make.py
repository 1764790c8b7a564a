"""Make what a release leaves on a disk: ``python -m tests.upgrades.make``, once a release.

A data set, an MLflow store with a champion and its evaluation, and a study, in one archive, without
pictures and pages. The store is kept as SQL, in which `ROOT` stands for the folder it was made in.
"""

import os
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, closing
from pathlib import Path

import numpy as np

import asd
from asd.audio.encode import write_wav
from asd.tracking.digest import model_digest

KEPT = Path(__file__).parent
ROOT = "@root@"
STORE = "store.sql"
DATA = "data/hum"
STUDY = "kept"
TRIALS = 2
SWEEP = {"model": "knn", "data": DATA, "study": STUDY, "features": {"n_mels": "32"}}
_RATE = 4000
_LEFT_OUT = ("__pycache__", ".png", ".webp", "report.html")


def main() -> None:
    """Make the archive of the present release."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{name}/mlflow.db", "LOGNAME": "asd"}
        sys.argv = ["asd"]  # as MLflow notes what it was started by
        _use()
        digests = dict(map(_without_project, Path("mlruns").glob("*/models/*/artifacts")))
        replaced = {str(Path(name).resolve()): ROOT} | digests
        Path(STORE).write_text("\n".join(_dump(replaced)), encoding="utf-8")
        target = KEPT / f"{asd.__version__}.tar.xz"
        with tarfile.open(target, "w:xz", preset=9) as archive:
            for path in (STORE, "mlruns", DATA, ".cache/studies"):
                archive.add(path, filter=_anonymous)


def restore(archive: Path, root: Path) -> None:
    """Put a release's files, and the database of its store, into a folder."""
    with tarfile.open(archive) as file:
        # As an argument of `extractall` Python 3.11 knows it from 3.11.4 on only.
        file.extraction_filter = getattr(tarfile, "data_filter", None)
        file.extractall(root)
    text = (root / STORE).read_text(encoding="utf-8").replace(ROOT, str(root))
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.executescript(text)


def _use() -> None:
    from asd.config.steps import (
        EvaluateConfig,
        PreprocessConfig,
        PromoteConfig,
        SweepConfig,
        TrainConfig,
    )
    from asd.steps import evaluate, preprocess, promote, sweep, train

    _record(Path("source"))
    preprocess.run(PreprocessConfig(source="source", output=DATA, clip_seconds=1))
    model = train.run(TrainConfig(data=DATA, model="knn"))
    promote.run(PromoteConfig())
    sweep.run(SweepConfig.parse({**SWEEP, "trials": TRIALS}))
    evaluate.run(EvaluateConfig(model_uri=model.uri))


def _record(folder: Path) -> None:
    """Recordings of few distinct values: they take little room in an archive."""
    rng = np.random.default_rng(0)
    rows = ["file,label,split"]
    for index in range(14):
        knock = index >= 10
        t = np.arange(2 * _RATE) / _RATE
        hum = np.round(6 * np.sin(2 * np.pi * (700 if knock else 200) * t)) / 32
        noise = rng.integers(-1, 2, t.size) / 64
        write_wav(folder / f"r{index:02d}.wav", hum + noise, _RATE)
        rows.append(f"r{index:02d}.wav,{'anomaly,test' if knock else 'normal,'}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")


def _without_project(model: Path) -> tuple[str, str]:
    """Take the place of this project out of a model; its digest before and afterwards."""
    before, described = model_digest(model), model / "MLmodel"
    project = f"{Path(asd.__file__).parents[1]}{os.sep}"
    text = described.read_text(encoding="utf-8").replace(project, "")
    described.write_text(text, encoding="utf-8")
    return before, model_digest(model)


def _dump(replaced: Mapping[str, str]) -> Iterator[str]:
    with closing(sqlite3.connect("mlflow.db")) as connection:
        for line in connection.iterdump():
            for old, new in replaced.items():
                line = line.replace(old, new)
            yield line


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return None if any(name in member.name for name in _LEFT_OUT) else member


if __name__ == "__main__":
    main()
