"""Detectors and front ends of other installed packages are found without a change here."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asd import detectors, features
from asd.errors import ConfigError, DetectorError, FeatureError
from asd.features.clipset import ClipSet

MODULE = """
import numpy as np
from asd.config.features import FrontEndConfig
from asd.detectors.base import Detector, DetectorConfig
from asd.features.base import Axes, FrontEnd


class Loudness(Detector[DetectorConfig]):
    name = "loudness"
    Config = DetectorConfig

    def _fit(self, train, valid, context):
        self.level_ = np.mean([clip.mean() for clip in train])

    def score(self, clips):
        return np.array([float(clip.mean() - self.level_) for clip in clips])

    def explain(self, clips):
        return [np.abs(clip - self.level_).astype(np.float32) for clip in clips]

    def _state(self):
        return {"level": self.level_}

    def _restore(self, state):
        self.level_ = state["level"]


class Envelope(FrontEnd[FrontEndConfig]):
    name = "envelope"
    Config = FrontEndConfig

    def axes(self):
        return Axes(np.zeros(1), "dimension", 1 / self.sample_rate, "Amplitude")

    def __call__(self, samples):
        return np.abs(samples)[None].astype(np.float32)
"""

POINTS = """
[asd.detectors]
loudness = sounds_of_others:Loudness
knn = sounds_of_others:Loudness
renamed = sounds_of_others:Loudness
absent = sounds_of_others:Nothing
gone = no_such_package:Loudness
number = sounds_of_others:__name__

[asd.features]
envelope = sounds_of_others:Envelope
absent = sounds_of_others:Nothing
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a detector and a front end, beside all others."""
    folder = tmp_path / "site"
    described = folder / "sounds_of_others-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "sounds_of_others.py").write_text(MODULE, encoding="utf-8")
    (described / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sounds-of-others\nVersion: 1.0\n", encoding="utf-8"
    )
    (described / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "sounds_of_others", raising=False)
    detectors.detector_class.cache_clear()
    features.front_end_class.cache_clear()
    return folder


def test_a_detector_of_another_package_is_one_like_any_other(package: Path, tmp_path: Path) -> None:
    assert {"loudness", "knn"} <= set(detectors.names())
    assert len(detectors.names()) == len(set(detectors.names()))
    kind = detectors.detector_class("loudness")
    clips = ClipSet([np.full((4, 5), value, np.float32) for value in (1.0, 3.0, 7.0)])
    fitted = kind(kind.Config()).fit(clips[:2], ClipSet([]))
    fitted.save(tmp_path / "saved")
    np.testing.assert_allclose(detectors.load(tmp_path / "saved").score(clips), [-1, 1, 5])


def test_a_front_end_of_another_package_is_one_like_any_other(package: Path) -> None:
    assert {"envelope", "logmel"} <= set(features.names())
    front_end = features.front_end({"name": "envelope", "sample_rate": 8000})
    assert front_end.name == "envelope"
    np.testing.assert_array_equal(front_end(np.array([-1, 0.5], np.float32)), [[1, 0.5]])


def test_no_package_replaces_a_detector_of_the_project(package: Path) -> None:
    assert detectors.detector_class("knn").__module__ == "asd.detectors.knn"


def test_listing_imports_nothing_of_other_packages(package: Path) -> None:
    code = (
        "import sys; from asd import detectors, features; "
        "print(detectors.names(), features.names()); "
        "print([m for m in ('sounds_of_others', 'torch', 'numpy') if m in sys.modules])"
    )
    listed, loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{package}:{Path(__file__).parents[1]}"},
    ).stdout.splitlines()
    assert "'loudness'" in listed
    assert "'envelope'" in listed
    assert loaded == "[]"


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: detectors.detector_class("gone"), DetectorError, "no_such_package.*uninstall"),
        (lambda: detectors.detector_class("absent"), DetectorError, "Nothing.*cannot be imported"),
        (lambda: detectors.detector_class("number"), DetectorError, "must be a class derived"),
        (lambda: detectors.detector_class("renamed"), DetectorError, "'loudness', it must be"),
        (lambda: features.front_end_class("absent"), FeatureError, "Nothing.*cannot be imported"),
        (lambda: detectors.detector_class("nothing"), ConfigError, "known models.*loudness"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    package: Path, ask: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        ask()
    assert "\n" not in str(caught.value)
