"""The pipeline: branches, fusion and decision; what is fitted, saved, promoted and served."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zipfile import BadZipFile

import numpy as np

from asd.arrays import Scores
from asd.audio.decode import stream_blocks
from asd.audio.windows import windows
from asd.config.base import Config
from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.data.sound import Sound, sound_of
from asd.decision.calibration import Calibration
from asd.decision.decision import Decision
from asd.decision.thresholds import Threshold
from asd.detectors.base import Detector, FitContext
from asd.errors import ConfigError, DetectorError, NotEnoughClipsError
from asd.features.store import FeatureStore
from asd.pipeline import legacy
from asd.pipeline.branches import resolved
from asd.pipeline.calibration import Calibrated, FitReport, calibrate, fit_and_calibrate
from asd.pipeline.fusion import Fusion
from asd.pipeline.scorer import Scorer
from asd.pipeline.verdict import Verdict, Window

FORMAT = 2
"""Raised whenever a saved pipeline would no longer be understood by the release before."""
_HEADER = "pipeline.json"
_CALIBRATION = "calibration.npz"
_WINDOWS_AT_ONCE = 16

C = TypeVar("C", bound=Config)


class ScoredWindow(NamedTuple):
    """A window of a stream."""

    start_s: float
    duration_s: float
    score: float


@dataclass(frozen=True)
class TrainedOn:
    """The clips that a pipeline was fitted and calibrated on."""

    name: str
    path: str
    digest: str


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Everything that turns sound into a decision. It knows neither MLflow nor Optuna."""

    recipe: Recipe
    """What was fitted, every field filled in."""
    scorer: Scorer
    decision: Decision
    sound: Sound
    """The way of the sound from a recording to a clip."""
    trained_on: TrainedOn

    @classmethod
    def fit(
        cls,
        recipe: Recipe,
        train: Dataset,
        valid: Dataset,
        store: FeatureStore,
        context: FitContext | None = None,
    ) -> tuple["Pipeline", FitReport]:
        """Fit a recipe and its decision on normal sound. Nothing else fits a detector.

        Parameters
        ----------
        recipe : Recipe
            What to fit.
        train, valid : Dataset
            The two sides that may be looked at. Anomalies among them are left out, but for those
            of `valid`, on which ``threshold.method=best_f1`` is fitted.
        store : FeatureStore
            Gives the features.
        context : FitContext, optional
            Who is told of each epoch, where state is kept, what may be used.

        Raises
        ------
        ConfigError
            A model, front end or field is not valid.
        NotEnoughClipsError
            A side has no normal clip, or a detector needs more.
        """
        normal_train, normal_valid = normal_sides(train, valid)
        full = resolved(recipe, sound_of(train).sample_rate)
        calibrated = fit_and_calibrate(
            full, normal_train, normal_valid, store, context or FitContext()
        )
        whole = Dataset(train.root, train.clips + valid.clips)
        return cls._decided(full, calibrated, whole, valid, store), calibrated.report

    @classmethod
    def adopt(
        cls, recipe: Recipe, detector: Detector[Any], valid: Dataset, store: FeatureStore
    ) -> tuple["Pipeline", FitReport]:
        """A pipeline around a detector that was fitted elsewhere; only the decision is made here.

        Parameters
        ----------
        recipe : Recipe
            Its one branch describes the detector, every field filled in.
        detector : Detector
            Fitted.
        valid : Dataset
            Its normal clips are what the decision is fitted on.
        store : FeatureStore
            Gives the features.

        Raises
        ------
        NotEnoughClipsError
            There is no normal clip.
        """
        _, normal = normal_sides(valid, valid)
        scorer = Scorer.of(recipe, [detector], Fusion.fit(recipe, np.zeros((1, 1))))
        calibrated = calibrate(scorer, normal, store)
        return cls._decided(recipe, calibrated, valid, valid, store), calibrated.report

    @classmethod
    def _decided(
        cls,
        recipe: Recipe,
        calibrated: Calibrated,
        data: Dataset,
        valid: Dataset,
        store: FeatureStore,
    ) -> "Pipeline":
        anomalies = valid.select(lambda clip: clip.label == "anomaly")
        known = calibrated.scorer.score(anomalies, store) if anomalies.clips else None
        decision = Decision.fit(recipe.threshold, calibrated.calibration, known)
        notes = "; ".join(note for note in (decision.note, calibrated.note) if note)
        trained_on = TrainedOn(data.name, str(data.root), data.digest)
        return cls(
            recipe, calibrated.scorer, replace(decision, note=notes), sound_of(data), trained_on
        )

    @property
    def name(self) -> str:
        """The detector's name, or that of a recipe of several branches."""
        return self.recipe.model

    @property
    def threshold(self) -> Threshold:
        """The threshold of a window; of all machines where there are several."""
        return self.decision.threshold

    @property
    def clip_seconds(self) -> float:
        """Length of the windows that are judged, in seconds."""
        return self.sound.clip_seconds

    def score(self, dataset: Dataset, store: FeatureStore) -> Scores:
        """Anomaly score of each clip of a data set, ``(n_clips,)``: just what `judge` would say."""
        # A clip that is longer than those of the training is judged window by window.
        most = self.clip_seconds * 1.01
        short = dataset.select(lambda clip: clip.duration_s <= most)
        scores = np.empty(len(dataset.clips))
        is_short = np.array([clip.duration_s <= most for clip in dataset.clips], dtype=bool)
        if short.clips:
            scores[is_short] = self.scorer.score(short, store)
        for place in np.flatnonzero(~is_short):
            # Clips have gone the way of the sound already: one channel, one track.
            scored = list(self._windows(dataset.file(dataset.clips[place]), None, 0))
            scores[place] = self.verdict(scored).anomaly_score
        return scores

    def stream(self, source: Path | bytes) -> Iterator[ScoredWindow]:
        """Score a recording of any length and container, window by window.

        Raises
        ------
        AudioError
            The recording cannot be decoded, is not a usable signal, or lacks the channel.
        """
        return self._windows(source, self.sound.channel, self.sound.stream)

    def _windows(
        self, source: Path | bytes, channel: int | None, stream: int
    ) -> Iterator[ScoredWindow]:
        rate = self.scorer.sample_rate
        blocks = stream_blocks(source, rate, channel, stream)
        pieces = windows(blocks, round(self.clip_seconds * rate))
        while several := list(islice(pieces, _WINDOWS_AT_ONCE)):
            scores = self.scorer.score_samples([samples for _, samples in several])
            for (start, samples), score in zip(several, scores, strict=True):
                yield ScoredWindow(start / rate, len(samples) / rate, float(score))

    def judge(self, source: Path | bytes, machine: str | None = None) -> Verdict:
        """Judge a recording of any length and container.

        Parameters
        ----------
        source : Path or bytes
            The file, or its content.
        machine : str, optional
            Machine that it is of; the threshold of all machines where not given.

        Raises
        ------
        AudioError
            The recording cannot be decoded, or is not a usable signal.
        """
        return self.verdict(list(self.stream(source)), machine)

    def verdict(self, scored: list[ScoredWindow], machine: str | None = None) -> Verdict:
        """Fold the windows of a recording into one judgement."""
        scores = np.array([window.score for window in scored])
        starts = np.array([window.start_s for window in scored])
        lengths = np.array([window.duration_s for window in scored])
        p_values = self.decision.windows(scores, machine)
        alarms = self.decision.alarms(scores, machine)
        judged = tuple(
            Window(*window[:3], bool(alarm), None if np.isnan(p) else float(p))
            for window, alarm, p in zip(scored, alarms, p_values, strict=True)
        )
        whole = self.decision.recording(scores, machine)
        warning = self.decision.warning(machine)
        return Verdict(
            windows=judged,
            threshold=self.decision.rule(machine).threshold.value,
            anomaly_score=whole.statistic,
            is_anomaly=whole.is_anomaly,
            p_value=whole.p_value,
            events=tuple(self.decision.events(scores, starts, lengths, machine)),
            warnings=(warning,) if warning else (),
        )

    def save(self, folder: Path) -> None:
        """Write the pipeline into `folder`: JSON, npz and safetensors, no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        self.scorer.save(folder / "branches")
        arrays = self.decision.calibration.to_arrays()
        np.savez(folder / _CALIBRATION, allow_pickle=False, **arrays)
        header = {
            "format": FORMAT,
            "recipe": self.recipe.model_dump(mode="json"),
            "fusion": self.scorer.fusion.to_dict(),
            "decision": self.decision.to_dict(),
            "sound": self.sound.model_dump(mode="json"),
            "trained_on": asdict(self.trained_on),
        }
        text = json.dumps(header, indent=2, ensure_ascii=False)
        (folder / _HEADER).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Pipeline":
        """Read back what `save` wrote, in this release or an earlier one.

        Raises
        ------
        DetectorError
            The folder does not hold a saved pipeline, or one of a later release.
        """
        try:
            header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            # NumPy would leave open what it has opened itself and cannot read.
            with (folder / _CALIBRATION).open("rb") as file, np.load(file) as arrays:
                calibration = Calibration.from_arrays(dict(arrays))
            if "format" not in header:
                return cls(*legacy.parts(folder, header, calibration))
            _check_format(folder, header["format"])
            recipe = _parsed(Recipe, header["recipe"])
            fusion = Fusion.from_dict(header["fusion"])
            return cls(
                recipe=recipe,
                scorer=Scorer.load(folder / "branches", recipe, fusion),
                decision=Decision.from_dict(header["decision"], calibration),
                sound=_parsed(Sound, header["sound"]),
                trained_on=TrainedOn(**header["trained_on"]),
            )
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise DetectorError(f"{folder}: not a saved pipeline ({error})") from error


def normal_sides(train: Dataset, valid: Dataset) -> tuple[Dataset, Dataset]:
    """The normal clips of both sides.

    Raises
    ------
    NotEnoughClipsError
        One of them has none.
    """
    sides = []
    for side, name in ((train, "train"), (valid, "valid")):
        normal = side.select(lambda clip: clip.label == "normal")
        if not normal.clips:
            raise NotEnoughClipsError(
                f"{side.root}: has no normal {name} clips, at least 1 is needed; add recordings or "
                "give another split to preprocess"
            )
        sides.append(normal)
    return sides[0], sides[1]


def _check_format(folder: Path, number: Any) -> None:
    if number != FORMAT:
        raise DetectorError(
            f"{folder}: saved in format {number} by a later release, this one reads up to {FORMAT};"
            " update the package"
        )


def _parsed(config: type[C], values: Any) -> C:
    """A part of the header; its fields are the file's, not the user's."""
    try:
        return config.parse(values)
    except ConfigError as error:
        raise ValueError(str(error)) from error
