"""Do in small what users do, and note what can be seen from outside.

`run_apart` does it in a process of its own, started in an empty folder. It speaks to the project
through its commands, the MLflow client and files; the few names it imports stand together below.
"""

import csv
import json
import logging
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import soundfile
from mlflow.entities import Run

from asd.config.recipes import recipe_names

# All that is imported from the project by the golden record: change it here when modules move.
from asd.data.demo import DemoSize, make_demo
from asd.detectors import names as detector_names
from asd.pipeline.pipeline import Pipeline
from tests import shortcuts
from tests.golden import signals

__all__ = ["PROJECT", "Observed", "Pipeline", "probe", "real_recordings", "run_apart"]

PROJECT = Path(__file__).resolve().parents[2]
Observed = dict[str, Any]

STEP_TAG = "asd.step"
UNSTEADY = re.compile(r"(fit|score|calibration)_seconds|^seconds$|_per_s$|latency|megabytes")
"""Metrics that are times, or sizes of files: their names are noted, not their values."""
UNIQUE = {"model", "model_uri", "train_run"}
"""Params whose values are new in each run."""
CLIPS_APART = {"anomalies", "images"}
"""Folders of artifacts with a file for each of some clips."""

SMALL: dict[str, dict[str, object]] = {
    "cnn": {"epochs": 3, "batch_size": 8, "channels": 2},
    "lstm": {"epochs": 3, "batch_size": 8, "hidden": 16, "latent": 4},
    "dense_ae": {"epochs": 3, "batch_size": 8},
    "idnn": {"epochs": 3, "batch_size": 8, "score": "mahalanobis"},
    "patch": {"bank": 100},
    "gmm": {"mixture_components": 2},
    "twfr": {"components": 2},
    "knn": {"k": 2, "density_k": 3},
}
"""Settings other than the defaults, for speed and so that more is looked at; networks learn
little in so few epochs, which is enough to see whether they still learn the same."""
CUT: dict[str, dict[str, object]] = {
    "hum": {"clip_seconds": 1, "split": "0.5,0.2,0.3"},
    "demo": {"clip_seconds": 4, "split": "0.5,0.25,0.25"},
    "motor": {"clip_seconds": 2},
}
BANDS = {"hum": 16, "demo": 32, "motor": 32}
"""Mel bands: few, for speed and so that the stored pipelines are small."""


def real_recordings() -> Path | None:
    """Their folder; None where they are absent."""
    folder = Path(os.environ.get("ASD_DATA_DIR", PROJECT.parent / "shared" / "data"))
    return folder.resolve() if folder.is_dir() else None


def run_apart(folder: Path, real: Path | None, whole: bool = True) -> Observed:
    """Observe everything, in a process of its own that works in `folder`.

    Parameters
    ----------
    folder : Path
        An empty folder; afterwards ``models/<data>/<detector>`` holds the saved pipelines.
    real : Path or None
        Folder of real recordings.
    whole : bool
        Whether to look at the demo and at real recordings besides the hum.

    Returns
    -------
    dict
        ``data``, ``detectors`` (by data set and name) and ``verbs``.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "ASD_"))}
    # Starting workers and threads takes longer than this little work.
    kept |= {"PYTHONPATH": str(PROJECT), "LOKY_MAX_CPU_COUNT": "1"}
    kept.setdefault("OMP_NUM_THREADS", "1")
    words = [
        sys.executable,
        "-m",
        "tests.golden.run",
        "observed.json",
        *(["whole"] if whole else []),
        *([str(real)] if whole and real else []),
    ]
    done = subprocess.run(words, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    observed: Observed = json.loads((folder / "observed.json").read_text(encoding="utf-8"))
    return observed


def observe(real: Path | None, whole: bool = True) -> Observed:
    """Make every data set in the current folder, train and evaluate every detector, try verbs."""
    if whole:
        make_demo(Path("source"), size=DemoSize(12, 12.0, takes=1, fault_s=8.0, sounds=1))
        Path("source/recordings").rename("source/demo")
    _make_hum(Path("source/hum"))
    if real:
        _copy_motor(real / "motor", Path("source/motor"))
    observed: Observed = {"data": {}, "detectors": {}}
    for data in (name for name in CUT if Path("source", name).exists()):
        command("preprocess", source=f"source/{data}", output=f"data/{data}", **CUT[data])
        [cut] = _newest("preprocess")
        observed["data"][data] = _run(cut) | _manifest(Path("data") / data)
        observed["detectors"][data] = {
            name: _detector(name, data) for name in sorted([*detector_names(), *recipe_names()])
        }
    return observed | {"verbs": _verbs()}


def command(verb: str, **options: object) -> None:
    """Do what ``python -m entrypoints.<verb> --key=value ...`` does, in this process."""
    logging.getLogger("asd").handlers.clear()
    sys.argv = [verb, *(f"--{key}={value}" for key, value in options.items())]
    runpy.run_module(f"entrypoints.{verb}", run_name="__main__")


def probe(path: Path) -> Path:
    """Write the sound on which stored pipelines are tried: 3 s without a fault, 2 s with it."""
    healthy, faulty = signals.machine(50, 3), signals.machine(51, 2, fault=True)
    signals.write(path, np.concatenate([healthy, faulty]))
    return path


def _make_hum(folder: Path) -> None:
    for number in range(20):
        signals.write(folder / f"normal/n{number:02d}.wav", signals.machine(number, 3))
    for number in range(20, 28):
        signals.write(folder / f"abnormal/a{number}.wav", signals.machine(number, 3, fault=True))
    for number in range(2):
        signals.write(Path(f"foreign/f{number}.wav"), signals.machine(60 + number, 1, fault=True))


def _copy_motor(motor: Path, folder: Path) -> None:
    """Recordings at the clips' own rate alone: the bits of a resampled one vary by processor."""
    folder.mkdir(parents=True)
    with (motor / "labels.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    rows = [row for row in rows if soundfile.info(motor / row[0]).samplerate == 16000]
    for row in rows:
        shutil.copyfile(motor / row[0], folder / row[0])
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _manifest(folder: Path) -> Observed:
    """Rows without digests of audio, and the level of each clip in dB re full scale."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    levels = []
    for row in rows:
        del row["sha256"]
        samples, _ = soundfile.read(folder / row["path"])
        levels.append(round(10 * np.log10(np.mean(samples**2) + 1e-10), 4))
    cells = ["|".join(row.values()) for row in rows]
    return {"columns": list(rows[0]), "rows": cells, "levels_db": levels}


def _detector(name: str, data: str) -> Observed:
    """What training and evaluating a detector logs, and the scores of the test clips by path."""
    own = {f"detector.{key}": value for key, value in SMALL.get(name, {}).items()}
    front_end = {"features.n_mels": BANDS[data]}
    command("train", model=name, data=f"data/{data}", **own, **front_end)
    [trained] = _newest("train")
    command("evaluate", model_uri=trained.info.run_id, data=f"data/{data}")
    [evaluated] = _newest("evaluate")
    scores = sorted(_csv(evaluated, "scores.csv"), key=lambda row: row["path"])
    keep_model(trained, Path("models") / data / name)
    return {
        "train": _run(trained),
        "evaluate": _run(evaluated),
        "threshold": float(scores[0]["threshold"]),
        "scores": [_short(row["anomaly_score"]) for row in scores],
        "p_values": [_short(row["p_value"]) for row in scores],
    }


def keep_model(run: Run, folder: Path) -> None:
    """Copy the pipeline that a run has logged to `folder`."""
    [output] = run.outputs.model_outputs if run.outputs else []
    files = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{output.model_id}")
    shutil.copytree(Path(files) / "artifacts" / "pipeline", folder)


def _verbs() -> Observed:
    """What the other commands log, and the runs below them."""
    data = "data/hum"
    bands = {"features.n_mels": BANDS["hum"]}
    changes = {"noise": "foreign", "pitch": "-3,3"}
    [trained] = _newest("train", detector="knn", data=data)
    model = {"model_uri": trained.info.run_id}
    command("augment", data=data, output="data/changed", noise_count=4, **changes)
    command("evaluate", data="data/changed", robustness="true", max_fpr=0.2, **model)
    robust = _run(_newest("evaluate")[0])
    command("score", source="source/hum/abnormal", **model)
    command("compare", models="knn,twfr", data=data, seeds=1, **bands)
    command("sweep", model="knn", data=data, trials=3, **bands)
    command("main", source="source/hum", models="knn,gmm", noise_count=2, **CUT["hum"], **changes)
    steps = ("score", "compare", "compare one", "sweep", "trial", "promote", "main")
    observed = {step: _run(_newest(step)[0]) for step in steps}
    [augmented] = _newest("augment", output="data/changed")
    observed["augment"] = _run(augmented) | _manifest(Path("data/changed"))
    for name in ("windows", "files"):
        rows = _csv(_newest("score")[0], f"{name}.csv")
        observed["score"][name] = [list(map(_short, row.values())) for row in rows]
    return observed | {"evaluate": robust}


def _newest(step: str, **params: str) -> list[Run]:
    """The newest run of a step, with these params."""
    wish = [f"tags.`{STEP_TAG}` = '{step}'"]
    wish += [f"params.`{key}` = '{value}'" for key, value in params.items()]
    return list(
        mlflow.MlflowClient().search_runs(
            ["0"], " and ".join(wish), order_by=["attributes.start_time DESC"], max_results=1
        )
    )


def _run(run: Run) -> Observed:
    params = {key: "" if key in UNIQUE else value for key, value in run.data.params.items()}
    metrics = {
        key: None if UNSTEADY.search(key) else _short(value)
        for key, value in run.data.metrics.items()
    }
    return {
        "params": dict(sorted(params.items())),
        "metrics": dict(sorted(metrics.items())),
        "artifacts": sorted(_artifacts(run.info.run_id)),
    }


def _artifacts(run_id: str, folder: str = "") -> Iterator[str]:
    """Names of a run's artifacts, without pictures of, and copies of, single clips."""
    for entry in mlflow.MlflowClient().list_artifacts(run_id, folder or None):
        if not entry.is_dir:
            yield entry.path
        elif entry.path not in CLIPS_APART:
            yield from _artifacts(run_id, entry.path)


def _csv(run: Run, name: str) -> list[dict[str, str]]:
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=name)
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _short(value: str | float) -> str | float:
    """A number with ten digits; a word as it is."""
    try:
        return float(f"{float(value):.10g}")
    except ValueError:
        return value


def main() -> None:
    """Observe, and write what was seen as JSON."""
    target, *words = sys.argv[1:]
    with pytest.MonkeyPatch.context() as patch:
        shortcuts.take(patch)
        observed = observe(Path(words[1]) if len(words) > 1 else None, bool(words))
    Path(target).write_text(json.dumps(observed, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
