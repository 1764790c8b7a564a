"""The recipe `auto`: better than its members, its maps, its bounds, figures on real recordings."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

from asd.audio.decode import read_clip
from asd.config.recipe import Branch, Recipe
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Clip, Dataset
from asd.detectors.base import Detector
from asd.detectors.patch import Patch
from asd.features.store import FeatureStore
from asd.files import file_digest
from asd.pipeline.folds import MAX_FOLDS
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import RATE, hum, together

Plant = Callable[..., Dataset]

AUTO = recipe_of(TrainConfig(model="auto"))


def alone(branch: Branch) -> Recipe:
    return Recipe(label=branch.label, branches=(branch,))


@pytest.fixture(scope="module")
def fitted(plant: Plant, store: FeatureStore) -> Pipeline:
    return Pipeline.fit(AUTO, plant(9, 0), plant(3, 100, "valid"), store)[0]


def test_scores_of_new_normal_clips_are_about_those_of_clips_held_out_or_lower(
    fitted: Pipeline, plant: Plant, store: FeatureStore
) -> None:
    scores = fitted.score(plant(10, 600, "test"), store)
    # The served detectors have seen more recordings than those that set the scale.
    assert -1 < scores.mean() < 0.5
    assert 0.3 < scores.std() < 2


def test_faults_are_found(fitted: Pipeline, plant: Plant, store: FeatureStore) -> None:
    normal, faulty = plant(10, 600, "test"), plant(3, 300, "test", "anomaly")
    assert fitted.score(faulty, store).min() > fitted.score(normal, store).max()


def test_the_gain_of_the_recording_does_not_matter_by_default(
    fitted: Pipeline, plant: Plant, store: FeatureStore, tmp_path: Path
) -> None:
    loud, quiet = tmp_path / "loud.wav", tmp_path / "quiet.wav"
    samples = hum(700, 5)
    soundfile.write(loud, samples, RATE, "FLOAT")
    soundfile.write(quiet, 0.25 * samples, RATE, "FLOAT")
    scores = [[w.anomaly_score for w in fitted.judge(path).windows] for path in (loud, quiet)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-2)
    config = TrainConfig(model="auto", features={"level": "none"})
    kept, _ = Pipeline.fit(recipe_of(config), plant(9, 0), plant(3, 100, "valid"), store)
    loud_scores, quiet_scores = (
        np.array([window.anomaly_score for window in kept.judge(path).windows])
        for path in (loud, quiet)
    )
    apart = loud_scores - quiet_scores
    assert np.abs(apart).mean() > 0.1
    assert np.abs(apart).min() > 0.03, "three times what counts as equal above"


def test_the_map_points_at_the_fault(fitted: Pipeline, store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "0.wav"
    soundfile.write(path, hum(701, 1, fault=(0.5, 1)), RATE, "FLOAT")
    clip = Clip(
        path=path.name,
        recording="r",
        start_s=0,
        duration_s=1,
        split="test",
        label="anomaly",
        sha256=file_digest(path),
    )
    [unusual] = fitted.scorer.explain(Dataset(tmp_path, (clip,)), store)
    axes = fitted.scorer.front_ends[0].axes()
    rattling = (axes.rows > 1350) & (axes.rows < 1650)
    late = np.arange(unusual.shape[1]) * axes.seconds_per_frame > 0.55
    early = np.arange(unusual.shape[1]) * axes.seconds_per_frame < 0.45
    assert (unusual >= 0).all()
    at_fault = unusual[np.ix_(rattling, late)].mean()
    assert at_fault > 3 * unusual[np.ix_(rattling, early)].mean()
    assert at_fault > 3 * unusual[~rattling].mean()


def test_maps_of_several_clips_are_on_one_scale(fitted: Pipeline) -> None:
    """A mean of 1 is what is usual, and a louder fault is more unusual than a quiet one."""
    healthy = [hum(seed, 1) for seed in range(700, 706)]
    rattle = np.sin(2 * np.pi * 1500 * np.arange(RATE) / RATE).astype(np.float32)
    faulty = [healthy[0] + gain * rattle for gain in (0.01, 0.03, 0.1)]
    maps = fitted.scorer.explain_samples([*healthy, *faulty])
    usual, unusual = np.split([float(part.mean()) for part in maps], [len(healthy)])
    assert 0.5 < np.median(usual) < 1.5
    assert (np.diff([usual.max(), *unusual]) > 0).all()


def test_a_member_that_new_recordings_alarm_is_trusted_less(
    tmp_path: Path, store: FeatureStore
) -> None:
    """Recordings with a spectrum of their own: the spectrum says little, its movement much."""

    def side(first: int, n_recordings: int, depth: float, label: str) -> Dataset:
        clips = []
        for number in range(first, first + n_recordings):
            rng = np.random.default_rng(number)
            time = np.arange(4 * RATE) / RATE
            gains = 10 ** rng.uniform(-1, 0, 12)
            tones = (
                gain * np.sin(2 * np.pi * hz * time + rng.uniform(0, 6))
                for gain, hz in zip(gains, np.linspace(200, 3600, 12), strict=True)
            )
            beat = 1 + depth * np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6))
            samples = 0.03 * beat * sum(tones) + 0.003 * rng.standard_normal(len(time))
            for start in range(4):
                path = tmp_path / f"{number}-{start}.wav"
                piece = samples[start * RATE : (start + 1) * RATE]
                soundfile.write(path, piece, RATE, "FLOAT")
                values = {
                    "path": path.name,
                    "recording": f"r{number}",
                    "start_s": start,
                    "duration_s": 1,
                    "split": "train",
                    "label": label,
                    "sha256": file_digest(path),
                }
                clips.append(Clip.model_validate(values))
        return Dataset(tmp_path, tuple(clips))

    train, valid = side(0, 12, 0.1, "normal"), side(100, 4, 0.1, "normal")
    test = together(side(200, 6, 0.1, "normal"), side(300, 6, 0.3, "anomaly"))
    truth = [clip.label == "anomaly" for clip in test.clips]

    def auc(recipe: Recipe) -> float:
        pipeline, _ = Pipeline.fit(recipe, train, valid, store)
        return float(roc_auc_score(truth, pipeline.score(test, store)))

    members = [auc(alone(branch)) for branch in AUTO.branches]
    together_auc = auc(AUTO)
    assert together_auc > np.median(members)
    assert together_auc > 0.95


def test_fitting_takes_no_more_the_more_clips_there_are(
    plant: Plant, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What costs time is bounded: fits, by folds, and distances, by the memory bank."""
    fits: list[str] = []
    fit = Detector.fit

    def counted(self: Detector, *sides: object) -> Detector:  # type: ignore[type-arg]
        fits.append(self.name)
        return fit(self, *sides)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "fit", counted)
    bounded = recipe_of(TrainConfig(model="auto", detector={"patch": {"bank": 100}}))
    pipeline, _ = Pipeline.fit(bounded, plant(24, 1000), plant(6, 2000, "valid"), store)
    assert len(fits) == len(AUTO.branches) * (MAX_FOLDS + 1)
    [patch] = (part for part in pipeline.scorer.detectors if isinstance(part, Patch))
    assert len(patch.bank_) == 100


@pytest.mark.real
def test_real_motors(real_data: Callable[[str], Path], tmp_path: Path, store: FeatureStore) -> None:
    data = _motor(real_data("motor"), tmp_path)
    train, test = data.split("train"), data.split("test")
    names = sorted(train.recordings())
    valid = train.select(lambda clip: clip.recording in names[::5])
    train = train.select(lambda clip: clip.recording not in names[::5])
    truth = [clip.label == "anomaly" for clip in test.clips]

    def figures(recipe: Recipe) -> tuple[float, float]:
        scores = Pipeline.fit(recipe, train, valid, store)[0].score(test, store)
        return (
            float(roc_auc_score(truth, scores)),
            float(roc_auc_score(truth, scores, max_fpr=0.1)),
        )

    auc, pauc = figures(AUTO)
    members = [figures(alone(branch)) for branch in AUTO.branches]
    assert auc > min(member_auc for member_auc, _ in members)
    assert pauc > min(member_pauc for _, member_pauc in members)
    assert auc > 0.98
    assert pauc > 0.94


def _motor(root: Path, folder: Path) -> Dataset:
    """Clips of two seconds of the motor recordings."""
    clips: list[Clip] = []
    with (root / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        samples = read_clip(root / row["file"], 16000)
        for start in range(0, len(samples) - 32000 + 1, 32000):
            path = folder / f"{len(clips)}.wav"
            soundfile.write(path, samples[start : start + 32000], 16000, "FLOAT")
            values = {
                "path": path.name,
                "recording": row["file"],
                "start_s": start / 16000,
                "duration_s": 2,
                "split": "train" if row["split"] == "train" else "test",
                "label": row["label"],
                "sha256": file_digest(path),
            }
            clips.append(Clip.model_validate(values))
    return Dataset(folder, tuple(clips))
