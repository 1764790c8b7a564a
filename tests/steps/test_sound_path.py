"""The way of the sound belongs to the model, and what cannot be compared is told."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile
from mlflow.entities import Run
from scipy.signal import resample_poly

from asd.config.steps import PreprocessConfig, ScoreConfig, TrainConfig
from asd.data import manifest
from asd.data.sound import sound_of
from asd.errors import AudioError, DataError
from asd.evaluation import gates
from asd.features.store import FeatureStore
from asd.pipeline.verdict import Verdict
from asd.steps import preprocess, score, train
from asd.tracking.fresh import fresh_scores
from asd.tracking.models import ModelRef, load

RATE = 16000
Media = Callable[..., Path]


def hum(seed: int, seconds: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    tones = 0.2 * np.sin(2 * np.pi * 100 * t + rng.uniform(0, 6)) + 0.1 * np.sin(600 * np.pi * t)
    return np.asarray(tones + 0.05 * rng.standard_normal(len(t)), np.float32)


def other(seed: int) -> np.ndarray:
    """Something else, as loud as the machine."""
    noise = 0.2 * np.random.default_rng(900 + seed).standard_normal(6 * RATE)
    return np.asarray(noise, np.float32)


def write(path: Path, *channels: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack(channels, 1), rate, subtype="PCM_24")
    return path


def fit(source: Path, **fields: Any) -> ModelRef:
    """A data set of 1 s clips, with a test side of one recording, and a model of it."""
    given = {"source": str(source), "output": "data/set", "clip_seconds": 1, "overwrite": True}
    preprocess.run(PreprocessConfig.parse(given | fields))
    return train.run(TrainConfig(model="knn", data="data/set"))


def scored(source: Path, model: ModelRef, **fields: Any) -> dict[str, Verdict]:
    wish = {"source": str(source), "model_uri": model.uri, "output": "scores"}
    verdicts = score.run(ScoreConfig.parse(wish | fields))
    return {path.name: verdict for path, verdict in verdicts.items()}


def served(model: ModelRef, *files: Path) -> list[dict[str, Any]]:
    audio = [base64.b64encode(path.read_bytes()).decode() for path in files]
    rows = mlflow.pyfunc.load_model(model.uri).predict(pd.DataFrame({"audio": audio}))
    json.dumps(rows, allow_nan=False)
    return list(rows)


def report(run: Run) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.txt")


@pytest.fixture
def machine(workspace: Path) -> Path:
    """Ten recordings of a machine, mono."""
    for number in range(10):
        write(workspace / "machine" / f"r{number}.wav", hum(number))
    return workspace / "machine"


@pytest.mark.parametrize(("channel", "place"), [("left", 0), ("2", 2)])
def test_the_channel_of_the_training_is_the_one_that_is_judged(
    workspace: Path, channel: str, place: int
) -> None:
    source = workspace / "array"
    for number in range(10):
        channels = [other(3 * number + k) for k in range(3)]
        channels[place] = hum(number)
        write(source / f"r{number}.wav", *channels)
    model = fit(source, channel=channel)
    verdicts = scored(source, model)
    assert sum(verdict.is_anomaly for verdict in verdicts.values()) <= 1
    assert not any(verdict.warnings for verdict in verdicts.values())
    [row] = served(model, source / "r0.wav")
    assert row["anomaly_score"] == verdicts["r0.wav"].anomaly_score
    mono = write(workspace / "mono.wav", hum(3))
    if place:
        with pytest.raises(AudioError, match=rf"mono.wav: channel={place} is not there, .* has 1"):
            scored(mono, model)
        [row] = served(model, mono)
        assert f"channel={place} is not there, the track has 1" in row["error"]


def test_the_audio_track_of_the_training_is_the_one_that_is_judged(
    workspace: Path, make_media: Media
) -> None:
    source = workspace / "videos"
    for number in range(8):
        tracks = [other(number), hum(number)]
        make_media(source / f"v{number}.mkv", tracks, RATE, picture_s=1.0)
    model = fit(source, stream=1)
    verdicts = scored(source, model)
    assert sum(verdict.is_anomaly for verdict in verdicts.values()) <= 1
    [row] = served(model, source / "v0.mkv")
    assert row["anomaly_score"] == verdicts["v0.mkv"].anomaly_score
    with pytest.raises(AudioError, match=r"mono.wav: stream=1 is not there, the file has 1"):
        scored(write(workspace / "mono.wav", hum(3)), model)


def test_promotion_judges_clips_by_the_way_of_the_sound(
    workspace: Path, make_media: Media, tmp_path: Path
) -> None:
    source = workspace / "recordings"
    for number in range(10):
        both = np.stack([other(number), hum(number)])
        make_media(source / f"r{number}.mkv", [other(number), both], RATE)
    model = fit(source, channel="right", stream=1)
    dataset, pipeline = manifest.load(Path("data/set")), load(model)
    probe = gates.probe(pipeline, dataset, tmp_path)
    as_clips = pipeline.score(dataset.split("test"), FeatureStore(tmp_path / "features"))
    distances = np.abs(np.subtract.outer(probe.scores, as_clips)).min(axis=1)
    assert distances.max() <= 1e-6 * max(1, as_clips.max())
    assert fresh_scores(model, probe.files) == pytest.approx(probe.scores, rel=1e-6)
    with pytest.raises(AudioError, match=r"is not there"):
        gates.probe(pipeline, dataset)


def test_a_lower_rate_is_told_and_hides_no_alarm(
    machine: Path, workspace: Path, last_run: Callable[[], Run]
) -> None:
    model = fit(machine)
    new = workspace / "new"
    for number in range(3):
        sound = hum(200 + number)
        write(new / f"at16k_{number}.wav", sound)
        write(new / f"at8k_{number}.wav", resample_poly(sound, 1, 2), rate=8000)
        raised = resample_poly(resample_poly(sound, 1, 2), 2, 1)
        write(new / f"raised_{number}.wav", raised)
    verdicts = scored(new, model)
    sentence = "recorded at 8000 Hz, the model knows 16000 Hz: not comparable"
    for name, verdict in verdicts.items():
        kind = name.partition("_")[0]
        assert bool(verdict.not_comparable) == (kind != "at16k")
        assert (sentence in verdict.warnings) == (kind == "at8k")
        assert verdict.is_anomaly or kind == "at16k", "the alarm stands"
    with Path("scores/files.csv").open(encoding="utf-8-sig") as file:
        rows = {Path(row["file"]).name: row["warnings"] for row in csv.DictReader(file)}
    assert rows["at8k_0.wav"] == sentence
    assert rows["at16k_0.wav"] == ""
    assert "up to" in rows["raised_0.wav"]
    run = last_run()
    assert run.data.metrics["files_with_warnings"] == 6
    lines = report(run).splitlines()
    assert "6 recordings with warnings" in lines
    assert f"  at8k_0.wav (alarm): {sentence}" in lines
    good, bad = served(model, new / "at16k_0.wav", new / "at8k_0.wav")
    assert (good["warnings"], bad["warnings"]) == ([], [sentence])
    assert bad["anomaly_score"] == verdicts["at8k_0.wav"].anomaly_score


def test_strict_refuses_what_cannot_be_compared(machine: Path, workspace: Path) -> None:
    model = fit(machine)
    new = workspace / "new"
    write(new / "good.wav", hum(300))
    write(new / "low.wav", resample_poly(hum(301), 1, 2), rate=8000)
    write(new / "short.wav", hum(302, 0.5))
    with pytest.raises(DataError, match=r"1 of 3 .*low.wav: recorded at 8000 Hz, .*strict=true"):
        scored(new, model, strict=True)
    verdicts = scored(new, model, strict=True, skip_bad=True)
    assert set(verdicts) == {"good.wav", "short.wav"}
    assert "lasts 0.50 s" in verdicts["short.wav"].warnings[0]


def test_channels_that_cancel_are_told_by_preprocess_and_score(
    machine: Path, workspace: Path, last_run: Callable[[], Run]
) -> None:
    rng = np.random.default_rng(0)
    balanced = workspace / "balanced"
    for number in range(8):
        sound = hum(number)
        own = 0.001 * rng.standard_normal((2, len(sound)))
        write(balanced / f"b{number}.wav", sound + own[0], -sound + own[1])
    preprocess.run(PreprocessConfig.parse({"source": str(balanced), "output": "data/balanced"}))
    assert "warning: channels cancel; give channel=left" in report(last_run())
    preprocess.run(
        PreprocessConfig.parse({"source": str(balanced), "output": "data/left", "channel": "left"})
    )
    assert "cancel" not in report(last_run())
    model = fit(machine)
    [verdict] = scored(balanced / "b0.wav", model).values()
    assert any("channels cancel, their mean lies 4" in text for text in verdict.warnings)
    assert verdict.not_comparable
    [row] = served(model, balanced / "b0.wav")
    assert row["warnings"] == list(verdict.warnings)
    exactly = write(workspace / "exactly.wav", hum(1), -hum(1))
    for judge in (lambda: scored(exactly, model), lambda: fit(exactly)):
        with pytest.raises(AudioError, match=r"exactly.wav: its channels cancel.*channel=left"):
            judge()
    [row] = served(model, exactly)
    assert "its channels cancel" in row["error"]


def test_a_click_of_5_ms_is_refused_alike_everywhere(machine: Path, workspace: Path) -> None:
    model = fit(machine)
    click = write(workspace / "click.wav", hum(0, 0.005))
    rule = "holds 0.005 s of sound, less than the 0.1 s that can be analysed; take the file out"
    for judge in (lambda: fit(click), lambda: scored(click, model)):
        with pytest.raises(AudioError) as refused:
            judge()
        assert str(refused.value) == f"{click}: {rule}"
    [row] = served(model, click)
    assert row["error"].endswith(rule)
    assert (row["anomaly_score"], row["is_anomaly"], row["warnings"]) == (None, None, [])


def test_single_recordings_out_of_line_are_told_by_preprocess(
    machine: Path, last_run: Callable[[], Run]
) -> None:
    write(machine / "far.wav", hum(50) / 100)
    write(machine / "loud.wav", np.clip(20 * hum(51), -1, 1))
    fit(machine)
    preprocess.run(PreprocessConfig(source=str(machine), output="data/again"))
    [line] = [x for x in report(last_run()).splitlines() if "out of line" in x]
    assert "far: level -56 dB of full scale, 40 dB below the others: not comparable" in line
    assert "loud: " in line
    assert "clipped" in line
    assert "r0" not in line


def test_without_ranges_fixed_rules_decide(machine: Path, workspace: Path) -> None:
    """Data sets and pipelines of earlier releases know nothing of their recordings."""
    fit(machine)
    dataset = manifest.load(Path("data/set"))
    assert sound_of(dataset).ranges is not None
    (dataset.root / "sound.json").unlink()
    assert sound_of(dataset).ranges is None
    model = train.run(TrainConfig(model="knn", data="data/set"))
    low = write(workspace / "low.wav", resample_poly(hum(1), 1, 2), rate=8000)
    faint = write(workspace / "faint.wav", hum(2) / 1000)
    usual = write(workspace / "usual.wav", hum(3) / 3)
    texts = [row["warnings"] for row in served(model, low, faint, usual)]
    assert texts[0] == ["recorded at 8000 Hz, the model knows 16000 Hz: not comparable"]
    assert "close to the noise of the recorder" in texts[1][0]
    assert texts[2] == []
