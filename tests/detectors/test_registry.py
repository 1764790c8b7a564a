"""A detector is one file: it is found, fitted, saved and loaded with nothing else changed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asd import detectors
from asd.errors import ConfigError, DetectorError
from asd.features.clipset import ClipSet

LOUDNESS = '''
import numpy as np
from pydantic import Field
from asd.detectors.base import Detector, DetectorConfig
from asd.features.clipset import ClipSet


class LoudnessConfig(DetectorConfig):
    """Configuration of `Loudness`."""

    factor: float = Field(1.0, gt=0)
    """What the score is multiplied by."""


class Loudness(Detector[LoudnessConfig]):
    """Scores how much louder a clip is than the mean of training."""

    name = "loudness"
    Config = LoudnessConfig

    def _fit(self, train, valid, context):
        self.level_ = np.mean([clip.mean() for clip in train])

    def score(self, clips):
        return np.array([self.config.factor * (clip.mean() - self.level_) for clip in clips])

    def explain(self, clips):
        return [np.abs(clip - self.level_).astype(np.float32) for clip in clips]

    def _state(self):
        return {"level": self.level_}

    def _restore(self, state):
        self.level_ = state["level"]
'''


@pytest.fixture
def loudness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put one file beside the detectors."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "loudness.py").write_text(LOUDNESS, encoding="utf-8")
    (folder / "_shared.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(detectors, "__path__", [*detectors.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "asd.detectors.loudness", raising=False)


@pytest.mark.usefixtures("loudness")
def test_a_new_file_is_a_new_detector(tmp_path: Path) -> None:
    assert "loudness" in detectors.names()
    assert "_shared" not in detectors.names()
    kind = detectors.detector_class("loudness")
    clips = [np.full((4, 5), value, np.float32) for value in (1.0, 3.0, 7.0)]
    detector = kind(kind.Config.parse({"factor": 2})).fit(ClipSet(clips[:2]), ClipSet([]))
    np.testing.assert_allclose(detector.score(ClipSet(clips)), [-2.0, 2.0, 10.0])
    detector.save(tmp_path / "saved")
    loaded = detectors.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.score(ClipSet(clips)), [-2.0, 2.0, 10.0])


def test_names_are_sorted_and_leave_out_what_is_shared() -> None:
    found = detectors.names()
    assert found == sorted(found)
    assert {"gmm", "knn"} <= set(found)
    assert "base" not in found
    assert not [name for name in found if name.startswith("_")]


def test_an_unknown_detector_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"model='nonsense': unknown model.*gmm.*knn"):
        detectors.detector_class("nonsense")


def test_a_folder_of_another_detector_is_refused(tmp_path: Path) -> None:
    clips = [np.random.default_rng(i).normal(size=(4, 5)).astype(np.float32) for i in range(3)]
    kind = detectors.detector_class("knn")
    kind(kind.Config()).fit(ClipSet(clips), ClipSet([])).save(tmp_path)
    header = tmp_path / "detector.json"
    values = json.loads(header.read_text(encoding="utf-8"))
    header.write_text(json.dumps({**values, "name": "mahalanobis"}), encoding="utf-8")
    with pytest.raises(DetectorError, match="holds model=mahalanobis, not knn"):
        kind.load(tmp_path)


def test_listing_detectors_loads_none_of_their_libraries() -> None:
    code = (
        "import sys; from asd import detectors; detectors.names(); "
        "print([m for m in ('torch', 'sklearn', 'numpy', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "[]"
