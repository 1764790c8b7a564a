"""What every detector promises. A new detector file is covered without a change here."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asd.features.sets import FloatArray
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from asd import detectors
from asd.detectors.base import Detector, DetectorConfig
from asd.errors import ConfigError, DetectorError, NotEnoughClipsError
from asd.features.clipset import ClipSet

N_MELS, N_FRAMES = 16, 39
FAULTY_BANDS = slice(10, 13)

each_detector = pytest.mark.parametrize("name", detectors.names())


def make_clips(
    n_clips: int, seed: int, fault_db: float = 0.0, n_frames: int = 39, n_mels: int = N_MELS
) -> list[FloatArray]:
    """Spectrograms in dB of a machine with a slow beat; faults raise three bands in every frame.

    They cannot be written to: no detector may.
    """
    rng = np.random.default_rng(seed)
    profile = -30 - 20 * np.sin(np.linspace(0, 3, n_mels))[:, None]
    clips = []
    for _ in range(n_clips):
        beat = 3 * np.sin(np.arange(n_frames) / 4 + rng.uniform(0, 6))
        clip = profile + beat + rng.normal(0, 2, (n_mels, n_frames)) + rng.normal(0, 1)
        clip[FAULTY_BANDS] += fault_db
        clips.append(clip.astype(np.float32))
        clips[-1].flags.writeable = False
    return clips


def build(name: str, seed: int = 0, epochs: int = 10) -> Detector[Any]:
    """The detector with its defaults, but trained as briefly as shows that it learns."""
    kind = detectors.detector_class(name)
    brief = {"epochs": epochs, "batch_size": 8}
    known = kind.Config.model_fields
    return kind(kind.Config.parse({k: v for k, v in brief.items() if k in known}), seed)


@cache
def fitted(name: str) -> Detector[Any]:
    return build(name).fit(make_clips(24, 0), make_clips(8, 1))


@each_detector
def test_is_declared_as_it_is_found(name: str) -> None:
    kind = detectors.detector_class(name)
    assert kind.name == name
    assert issubclass(kind.Config, DetectorConfig)
    assert kind.min_clips <= 20
    for key, field in kind.Config.model_fields.items():
        assert field.description, f"{key} has no description"
        extra = field.json_schema_extra
        search = extra.get("search") if isinstance(extra, dict) else None
        if isinstance(search, dict):
            for value in search.get("choices", [search.get("low"), search.get("high")]):  # type: ignore[union-attr]
                kind.Config.parse({key: value})


@each_detector
def test_faults_score_higher(name: str) -> None:
    clips = make_clips(12, 2) + make_clips(12, 3, fault_db=15)
    scores = fitted(name).score(clips)
    assert scores.shape == (24,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert roc_auc_score([0] * 12 + [1] * 12, scores) > 0.9


@each_detector
def test_a_score_depends_on_its_clip_alone(name: str) -> None:
    clips = make_clips(4, 2) + make_clips(3, 3, n_frames=25) + make_clips(2, 4, fault_db=9)
    together = fitted(name).score(clips)
    assert_allclose(fitted(name).score(clips[::-1])[::-1], together, rtol=1e-9)
    alone = np.concatenate([fitted(name).score([clip]) for clip in clips])
    assert_allclose(alone, together, rtol=1e-9)


@each_detector
def test_a_score_is_the_same_on_any_number_of_threads(
    name: str, threads: Callable[[int], AbstractContextManager[None]]
) -> None:
    train = make_clips(24, 0, n_frames=313, n_mels=64)
    detector = build(name, epochs=1).fit(train, [])
    clips = make_clips(3, 2, n_frames=313, n_mels=64) + make_clips(1, 3, n_mels=64)
    with threads(1):
        expected = detector.score(clips)
    for count in 2, 3:
        with threads(count):
            assert_array_equal(detector.score(clips), expected)
            alone = np.concatenate([detector.score([clip]) for clip in clips])
            assert_array_equal(alone, expected)
            assert torch.get_num_threads() == count


@each_detector
def test_the_same_seed_gives_the_same_scores(name: str) -> None:
    again = build(name).fit(make_clips(24, 0), make_clips(8, 1))
    clips = make_clips(5, 2)
    assert_array_equal(again.score(clips), fitted(name).score(clips))


@each_detector
def test_comes_back_from_disk_as_it_was(name: str, tmp_path: Path) -> None:
    fitted(name).save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*")} <= {".json", ".npz", ".safetensors"}
    loaded = detectors.load(tmp_path)
    assert type(loaded) is type(fitted(name))
    assert loaded.config == fitted(name).config
    assert loaded.seed == fitted(name).seed
    clips = make_clips(5, 2) + make_clips(2, 3, n_frames=60)
    assert_allclose(loaded.score(clips), fitted(name).score(clips), rtol=1e-9)
    for found, expected in zip(loaded.explain(clips), fitted(name).explain(clips), strict=True):
        assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@each_detector
def test_a_folder_without_a_detector_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="not a saved detector"):
        detectors.detector_class(name).load(tmp_path)


@each_detector
def test_a_file_that_was_cut_short_is_refused(name: str, tmp_path: Path) -> None:
    fitted(name).save(tmp_path)
    for path in tmp_path.iterdir():
        if path.suffix != ".json":
            path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DetectorError, match="not a saved detector"):
        detectors.load(tmp_path)


@each_detector
def test_explains_where_the_fault_is(name: str) -> None:
    clips = make_clips(6, 3, fault_db=15) + make_clips(2, 4, fault_db=15, n_frames=70)
    maps = fitted(name).explain(clips)
    assert [found.shape for found in maps] == [clip.shape for clip in clips]
    for found in maps:
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        elsewhere = np.delete(found, FAULTY_BANDS, axis=0)
        assert found[FAULTY_BANDS].mean() > elsewhere.mean()


@each_detector
def test_clips_of_any_length_are_taken(name: str) -> None:
    lengths = [39, 39, 39, 20, 90] * 5
    train = [make_clips(1, seed, n_frames=n)[0] for seed, n in enumerate(lengths)]
    detector = build(name).fit(train, train[:5])
    clips = [make_clips(1, 9, n_frames=n)[0] for n in (1, 2, 8, 39, 200)]
    assert np.isfinite(detector.score(clips)).all()
    assert [found.shape for found in detector.explain(clips)] == [clip.shape for clip in clips]


@each_detector
def test_the_fewest_clips_are_enough_and_fewer_are_refused(name: str) -> None:
    least = detectors.detector_class(name).min_clips
    build(name).fit(ClipSet(make_clips(least, 0)), ClipSet([])).score(ClipSet(make_clips(2, 1)))
    with pytest.raises(NotEnoughClipsError, match=f"at least {least} training clips"):
        build(name).fit(ClipSet(make_clips(least - 1, 0)), ClipSet([]))


@each_detector
def test_silence_is_no_reason_to_fail(name: str) -> None:
    silence = np.full((N_MELS, N_FRAMES), -100, np.float32)
    assert np.isfinite(fitted(name).score(ClipSet([silence]))).all()
    assert np.isfinite(fitted(name).explain(ClipSet([silence]))[0]).all()


@each_detector
def test_an_unknown_key_is_named_with_the_valid_ones(name: str) -> None:
    config = detectors.detector_class(name).Config
    with pytest.raises(ConfigError, match=r"detector\.nonsense: unknown key") as error:
        config.parse({"nonsense": 1}, "detector.")
    assert all(key in str(error.value) for key in config.keys("detector."))
