"""What tests of promotions share: clips, two models, and words to give and to look."""

from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import soundfile
from mlflow.entities import Run

from asd.config.steps import PromoteConfig
from asd.data import manifest
from asd.data.manifest import Clip
from asd.files import file_digest
from asd.steps import promote
from asd.tracking.models import ModelRef

RATE = 8000
DATA = "data/hum"
NAME = "hum"
_CLIPS = (("train", "normal", 24), ("valid", "normal", 40), ("test", "normal", 24))


@dataclass(frozen=True)
class Trained:
    """Two models of one data set: one that hears knocking, one that is nearly deaf."""

    good: ModelRef
    worse: ModelRef


def make_clips(root: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    t = np.arange(RATE) / RATE
    for split, label, count in (*_CLIPS, ("test", "anomaly", 12)):
        for index in range(count):
            signal = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(RATE)
            if label == "anomaly":
                signal += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
            path = root / split / f"{label}-{index:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, signal, RATE)
            rows.append(
                Clip.model_validate(
                    {
                        "path": f"{split}/{path.name}",
                        "recording": f"{split}-{label}-{index // 4}",
                        "start_s": index % 4,
                        "duration_s": 1.0,
                        "split": split,
                        "label": label,
                        "sha256": file_digest(path),
                    }
                )
            )
    manifest.save(root, rows)


def newest(step: str) -> Run:
    experiment = mlflow.get_experiment_by_name("promote")
    assert experiment is not None
    [run] = mlflow.MlflowClient().search_runs(
        [experiment.experiment_id], f"tags.`asd.step` = '{step}'", max_results=1
    )
    return run


def report(run: Run) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.txt")


def give(model: ModelRef, **fields: float) -> bool:
    return promote.run(PromoteConfig.parse({"model_uri": model.uri, "data": DATA, **fields}))
