"""The pipeline: front end, detector and threshold; what is saved, promoted and served."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd import detectors
from asd.config import LogMelConfig
from asd.data.audio import stream_blocks
from asd.data.manifest import Dataset
from asd.data.windows import windows
from asd.decision.thresholds import Threshold, p_values
from asd.detectors.base import Detector, Scores
from asd.errors import DetectorError
from asd.features.cache import FeatureCache
from asd.features.logmel import LogMel

_HEADER = "pipeline.json"


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

    def score_dataset(self, dataset: Dataset, cache_root: Path) -> Scores:
        """Anomaly score of each clip of a data set, ``(n_clips,)``."""
        return self.detector.score(FeatureCache(cache_root, self.features).features(dataset))

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
        for start, samples in windows(blocks, round(self.clip_seconds * rate)):
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
            with np.load(folder / "calibration.npz", allow_pickle=False) as arrays:
                calibration, recordings = arrays["scores"], arrays["recordings"]
        except (OSError, ValueError, KeyError) as error:
            raise DetectorError(f"{folder}: not a saved pipeline ({error})") from error
        return cls(
            features=LogMelConfig.parse(header["features"], "features."),
            detector=detectors.load(folder / "detector"),
            threshold=Threshold.from_dict(header["threshold"]),
            calibration=calibration,
            calibration_recordings=recordings,
            clip_seconds=header["clip_seconds"],
            trained_on=TrainedOn(**header["trained_on"]),
        )
