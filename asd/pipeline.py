"""The pipeline: front end, detector and threshold; what is saved, promoted and served."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import joblib
import numpy as np
from numpy.typing import NDArray

from asd import detectors
from asd.config import LogMelConfig
from asd.data.audio import read_clip, stream_blocks
from asd.data.manifest import Dataset
from asd.data.parallel import parallel_map
from asd.data.windows import windows
from asd.detectors.base import Detector, Scores
from asd.errors import DetectorError
from asd.evaluation.thresholds import Threshold, p_values
from asd.features.cache import FeatureCache
from asd.features.logmel import LogMel
from asd.features.sets import FloatArray
from asd.features.threads import one_thread

_HEADER = "pipeline.json"
_CLIPS_AT_ONCE = 64
"""Clips longer than a window whose spectrograms are in memory together."""


@dataclass(frozen=True)
class TrainedOn:
    """The data set that a pipeline was fitted on."""

    name: str
    path: str
    digest: str


@dataclass(frozen=True)
class Window:
    """The judgement of one window of a recording."""

    start_s: float
    duration_s: float
    anomaly_score: float
    is_anomaly: bool
    p_value: float


@dataclass(frozen=True)
class Verdict:
    """The judgement of a whole recording: that of its most anomalous window."""

    windows: tuple[Window, ...]
    threshold: float

    @property
    def worst(self) -> Window:
        """The window with the highest score."""
        return max(self.windows, key=lambda window: window.anomaly_score)

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        last = self.windows[-1]
        return last.start_s + last.duration_s

    @property
    def p_value(self) -> float:
        """P-value of the worst window, corrected for the number of windows (Bonferroni)."""
        return min(1.0, self.worst.p_value * len(self.windows))


@dataclass(frozen=True)
class Pipeline:
    """Everything that turns sound into a decision."""

    features: LogMelConfig
    detector: Detector[Any]
    threshold: Threshold
    calibration: Scores
    """Scores of the held-out normal clips on which the threshold was fitted, ``(n,)``."""
    calibration_recordings: NDArray[np.int64]
    """Number of the recording that each of those clips is of, ``(n,)``."""
    clip_seconds: float
    """Length of the clips that the detector was fitted on, in seconds."""
    trained_on: TrainedOn

    def judge_dataset(self, dataset: Dataset, cache_root: Path) -> tuple[Scores, Scores]:
        """Judge each clip of a data set just as `judge` would.

        Features of clips that are no longer than a window come from the cache.

        Returns
        -------
        scores : ndarray, shape (n_clips,)
            Anomaly score of each clip's most anomalous window.
        p_values : ndarray, shape (n_clips,)
            In (0, 1], corrected for the number of windows.

        Raises
        ------
        AudioError
            Clips cannot be read.
        """
        size, rate = self.window_samples, self.features.sample_rate
        is_long = np.array([round(clip.duration_s * rate) > size for clip in dataset.clips])
        short = Dataset(dataset.root, tuple(compress(dataset.clips, ~is_long)))
        long = [dataset.file(clip) for clip in compress(dataset.clips, is_long)]
        scores, n_windows = np.empty(len(is_long)), np.ones(len(is_long))
        features = FeatureCache(cache_root, self.features).features(short)
        scores[~is_long] = self.detector.score(features) if len(features) else []
        by_window: list[Scores] = []
        for start in range(0, len(long), _CLIPS_AT_ONCE):
            some = long[start : start + _CLIPS_AT_ONCE]
            with one_thread(), joblib.parallel_config(prefer="threads"):
                read = partial(_read_windows, LogMel(self.features), size)
                by_window += self.score_windows(parallel_map(read, some, "windows"))
        scores[is_long] = [window_scores.max() for window_scores in by_window]
        n_windows[is_long] = [len(window_scores) for window_scores in by_window]
        return scores, np.minimum(1.0, self.p_values(scores) * n_windows)

    def score_windows(self, clips: Sequence[Sequence[FloatArray]]) -> list[Scores]:
        """Anomaly score of each window of each clip.

        Parameters
        ----------
        clips : sequence of sequence of ndarray
            The spectrograms that `windowed` gives for each clip, at least one.
        """
        scores = self.detector.score([spectrogram for clip in clips for spectrogram in clip])
        return np.split(scores, np.cumsum([len(clip) for clip in clips])[:-1])

    @property
    def window_samples(self) -> int:
        """Samples in a window, at the rate of the front end."""
        return round(self.clip_seconds * self.features.sample_rate)

    def p_values(self, scores: Scores) -> Scores:
        """Conformal p-values of scores, ``(n,)`` in (0, 1]: small is anomalous."""
        return p_values(self.calibration, scores, self.calibration_recordings)

    def judge(self, source: Path | bytes) -> Verdict:
        """Judge a recording of any length and container, window by window.

        Parameters
        ----------
        source : Path or bytes
            The file, or its content.

        Raises
        ------
        AudioError
            The recording cannot be decoded, or is not a usable signal.
        """
        rate = self.features.sample_rate
        front_end = LogMel(self.features)
        starts: list[int] = []
        lengths: list[int] = []
        scores: list[float] = []

        blocks = stream_blocks(source, sample_rate=rate)
        for start, samples in windows(blocks, self.window_samples):
            starts.append(start)
            lengths.append(len(samples))
            scores.append(float(self.detector.score([front_end(samples)])[0]))
        p = self.p_values(np.asarray(scores))
        judged = (
            Window(start / rate, length / rate, score, score > self.threshold.value, float(chance))
            for start, length, score, chance in zip(starts, lengths, scores, p, strict=True)
        )
        return Verdict(tuple(judged), self.threshold.value)

    def save(self, folder: Path) -> None:
        """Write the pipeline into `folder`: JSON, npz and safetensors, no pickle."""
        self.detector.save(folder / "detector")
        np.savez(
            folder / "calibration.npz",
            allow_pickle=False,
            scores=self.calibration,
            recordings=self.calibration_recordings,
        )
        header = {
            "features": self.features.model_dump(),
            "threshold": self.threshold.to_dict(),
            "clip_seconds": self.clip_seconds,
            "trained_on": asdict(self.trained_on),
        }
        text = json.dumps(header, indent=2, ensure_ascii=False)
        (folder / _HEADER).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Pipeline":
        """Read back what `save` wrote.

        Raises
        ------
        DetectorError
            The folder does not hold a saved pipeline.
        """
        try:
            header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            # NumPy would leave open what it has opened itself and cannot read.
            with (folder / "calibration.npz").open("rb") as file, np.load(file) as arrays:
                calibration, recordings = arrays["scores"], arrays["recordings"]
            return cls(
                features=LogMelConfig.parse(header["features"], "features."),
                detector=detectors.load(folder / "detector"),
                threshold=Threshold.from_dict(header["threshold"]),
                calibration=calibration,
                calibration_recordings=recordings,
                clip_seconds=header["clip_seconds"],
                trained_on=TrainedOn(**header["trained_on"]),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise DetectorError(f"{folder}: not a saved pipeline ({error})") from error


def windowed(front_end: LogMel, samples: FloatArray, size: int) -> list[FloatArray]:
    """Spectrograms of the windows in which a clip is judged.

    Parameters
    ----------
    front_end : LogMel
        Computes them.
    samples : ndarray of shape (n_samples,)
        The clip, at the rate of the front end.
    size : int
        Samples in a window.
    """
    return [front_end(window) for _, window in windows([samples], size)]


def _read_windows(front_end: LogMel, size: int, path: Path) -> list[FloatArray]:
    return windowed(front_end, read_clip(path, front_end.config.sample_rate), size)
