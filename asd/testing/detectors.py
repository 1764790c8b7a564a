"""What every detector promises, as tests to inherit.

::

    from asd.testing import DetectorContract
    from mypackage.loudness import Loudness


    class TestLoudness(DetectorContract):
        detector = Loudness
        fields = {"epochs": 10}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from asd.arrays import Spectrogram
from asd.config.search import declared_values
from asd.detectors.base import Detector, DetectorConfig
from asd.errors import ConfigError, DetectorError, NotEnoughClipsError
from asd.features.clipset import ClipSet

N_MELS, N_FRAMES = 16, 39
FAULTY_BANDS = slice(10, 13)

NO_CLIPS = ClipSet([])


def machine_clips(
    n_clips: int, seed: int, fault_db: float = 0.0, n_frames: int = N_FRAMES
) -> list[Spectrogram]:
    """Spectrograms in dB of a machine with a slow beat; faults raise three bands in every frame.

    Parameters
    ----------
    n_clips : int
        How many.
    seed : int
        Seed of what differs between them.
    fault_db : float
        By how much the bands `FAULTY_BANDS` are raised.
    n_frames : int
        Length of each.

    Returns
    -------
    list of ndarray, each of shape (N_MELS, n_frames)
        They cannot be written to, since detectors must not.
    """
    rng = np.random.default_rng(seed)
    profile = -30 - 20 * np.sin(np.linspace(0, 3, N_MELS))[:, None]
    clips = []
    for _ in range(n_clips):
        beat = 3 * np.sin(np.arange(n_frames) / 4 + rng.uniform(0, 6))
        clip = profile + beat + rng.normal(0, 2, (N_MELS, n_frames)) + rng.normal(0, 1)
        clip[FAULTY_BANDS] += fault_db
        clips.append(clip.astype(np.float32))
        clips[-1].flags.writeable = False
    return clips


_FITTED: dict["type[DetectorContract]", Detector[Any]] = {}


class DetectorContract:
    """Tests of one detector; a test class inherits them and names it."""

    detector: ClassVar[type[Detector[Any]]]
    """The detector's class."""
    fields: ClassVar[Mapping[str, Any]] = {}
    """Fields with which it learns within a second or so; the others have their defaults."""

    @classmethod
    def build(cls, seed: int = 0) -> Detector[Any]:
        """A detector that is not fitted yet."""
        return cls.detector(cls.detector.Config.parse(cls.fields, "detector."), seed)

    @classmethod
    def fitted(cls) -> Detector[Any]:
        """A detector fitted on 24 clips, the same for all tests, which must not change it."""
        if cls not in _FITTED:
            train, valid = ClipSet(machine_clips(24, 0)), ClipSet(machine_clips(8, 1))
            _FITTED[cls] = cls.build().fit(train, valid)
        return _FITTED[cls]

    def test_is_declared_as_detectors_are(self) -> None:
        """A name, a config with documented fields, search ranges within them."""
        kind = self.detector
        assert kind.name.isidentifier()
        assert issubclass(kind.Config, DetectorConfig)
        assert kind.min_clips <= 20
        for key, field in kind.Config.model_fields.items():
            assert field.description, f"{key} has no description"
            for value in declared_values(field):
                kind.Config.parse({key: value})

    def test_faults_score_higher(self) -> None:
        """Scores are finite, one float64 a clip, and higher for clips with a fault."""
        clips = machine_clips(12, 2) + machine_clips(12, 3, fault_db=15)
        scores = self.fitted().score(ClipSet(clips))
        assert scores.shape == (24,)
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()
        assert roc_auc_score([0] * 12 + [1] * 12, scores) > 0.9

    def test_a_score_depends_on_its_clip_alone(self) -> None:
        """Neither the order of clips nor their neighbours matter."""
        clips = ClipSet(
            machine_clips(4, 2) + machine_clips(3, 3, n_frames=25) + machine_clips(2, 4, fault_db=9)
        )
        together = self.fitted().score(clips)
        assert_allclose(self.fitted().score(clips[::-1])[::-1], together, rtol=1e-9)
        alone = [self.fitted().score(clips[place : place + 1]) for place in range(len(clips))]
        assert_allclose(np.concatenate(alone), together, rtol=1e-9)

    def test_the_same_seed_gives_the_same_scores(self) -> None:
        """Whatever is random comes from the seed."""
        again = self.build().fit(ClipSet(machine_clips(24, 0)), ClipSet(machine_clips(8, 1)))
        clips = ClipSet(machine_clips(5, 2))
        assert_array_equal(again.score(clips), self.fitted().score(clips))

    def test_comes_back_from_disk_as_it_was(self, tmp_path: Path) -> None:
        """Config, seed, scores and maps are kept, in files that hold no code."""
        self.fitted().save(tmp_path)
        suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
        assert suffixes <= {".json", ".npz", ".safetensors"}
        loaded = self.detector.load(tmp_path)
        assert type(loaded) is self.detector
        assert loaded.config == self.fitted().config
        assert loaded.seed == self.fitted().seed
        clips = ClipSet(machine_clips(5, 2) + machine_clips(2, 3, n_frames=60))
        assert_allclose(loaded.score(clips), self.fitted().score(clips), rtol=1e-9)
        for loaded_map, own in zip(
            loaded.explain(clips), self.fitted().explain(clips), strict=True
        ):
            assert_allclose(loaded_map, own, rtol=1e-5, atol=1e-6)

    def test_a_folder_without_a_detector_is_refused(self, tmp_path: Path) -> None:
        """With one line that says so."""
        with pytest.raises(DetectorError, match="not a saved detector"):
            self.detector.load(tmp_path)

    def test_a_file_that_was_cut_short_is_refused(self, tmp_path: Path) -> None:
        """With one line that says so."""
        self.fitted().save(tmp_path)
        for path in tmp_path.iterdir():
            if path.suffix != ".json":
                path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(DetectorError, match="not a saved detector"):
            self.detector.load(tmp_path)

    def test_explains_where_the_fault_is(self) -> None:
        """Maps have the shape of their clips, and are highest where the fault is."""
        clips = machine_clips(6, 3, fault_db=15) + machine_clips(2, 4, fault_db=15, n_frames=70)
        maps = self.fitted().explain(ClipSet(clips))
        assert [unusual.shape for unusual in maps] == [clip.shape for clip in clips]
        for unusual in maps:
            assert unusual.dtype == np.float32
            assert np.isfinite(unusual).all()
            assert (unusual >= 0).all()
            elsewhere = np.delete(unusual, FAULTY_BANDS, axis=0)
            assert unusual[FAULTY_BANDS].mean() > elsewhere.mean()

    def test_clips_of_any_length_are_taken(self) -> None:
        """In training and after, down to a single frame."""
        lengths = [39, 39, 39, 20, 90] * 5
        train = [machine_clips(1, seed, n_frames=n)[0] for seed, n in enumerate(lengths)]
        detector = self.build().fit(ClipSet(train), ClipSet(train[:5]))
        clips = [machine_clips(1, 9, n_frames=n)[0] for n in (1, 2, 8, 39, 200)]
        assert np.isfinite(detector.score(ClipSet(clips))).all()
        maps = detector.explain(ClipSet(clips))
        assert [unusual.shape for unusual in maps] == [clip.shape for clip in clips]

    def test_the_fewest_clips_are_enough_and_fewer_are_refused(self) -> None:
        """`min_clips` says how many, and is part of the message."""
        least = self.detector.min_clips
        self.build().fit(ClipSet(machine_clips(least, 0)), NO_CLIPS).score(
            ClipSet(machine_clips(2, 1))
        )
        with pytest.raises(NotEnoughClipsError, match=f"at least {least} training clips"):
            self.build().fit(ClipSet(machine_clips(least - 1, 0)), NO_CLIPS)

    def test_silence_is_no_reason_to_fail(self) -> None:
        """A clip at the floor has a finite score and map."""
        silence = ClipSet([np.full((N_MELS, N_FRAMES), -100, np.float32)])
        assert np.isfinite(self.fitted().score(silence)).all()
        assert np.isfinite(self.fitted().explain(silence)[0]).all()

    def test_an_unknown_key_is_named_with_the_valid_ones(self) -> None:
        """In one line."""
        config = self.detector.Config
        with pytest.raises(ConfigError, match=r"detector\.nonsense: unknown key") as error:
            config.parse({"nonsense": 1}, "detector.")
        assert all(key in str(error.value) for key in config.keys("detector."))
        assert "\n" not in str(error.value)
