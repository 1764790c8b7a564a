"""The pipeline: what is fitted, saved, promoted and served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from asd.config.recipe import Recipe
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.data.sound import sound_of
from asd.decision.decision import Decision
from asd.decision.promise import Promise, promise
from asd.decision.thresholds import Threshold
from asd.detectors.base import Detector, FitContext
from asd.errors import ConfigError, NotEnoughClipsError
from asd.features.store import FeatureStore
from asd.language import Remark, tr
from asd.pipeline import files
from asd.pipeline.branches import resolved
from asd.pipeline.calibration import (
    Calibrated,
    FitReport,
    calibrate,
    calibration_of,
    fit_and_calibrate,
)
from asd.pipeline.fusion import Fusion
from asd.pipeline.judge import Judge
from asd.pipeline.machines import with_own_detector
from asd.pipeline.notes import odd_recording_remark
from asd.pipeline.scorer import Scorer
from asd.pipeline.trained_on import TrainedOn
from asd.pipeline.usual import Usual

_MACHINES = "machines"


@dataclass(frozen=True, eq=False)
class Pipeline(Judge):
    """A judge that can be fitted, saved and loaded. It knows neither MLflow nor Optuna."""

    recipe: Recipe
    """What was fitted, every field filled in."""
    trained_on: TrainedOn
    own: Mapping[str, "Pipeline"] = field(default_factory=dict)
    """Pipelines of machines that have one of their own (`Recipe.per_machine`)."""
    usual: Usual | None = None
    """What the normal clips sound like; None in models of earlier releases."""

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
        context = context or FitContext()
        calibrated = fit_and_calibrate(full, normal_train, normal_valid, store, context)
        both = Dataset(train.root, train.clips + valid.clips)
        machines, remark = with_own_detector(full, normal_train, normal_valid)
        pooled = cls._decided(full, calibrated, both, valid, store, tuple(machines))
        alone = full.model_copy(update={"per_machine": "false"})
        own = {
            name: cls.fit(alone, *sides, store, context.quiet().below(f"machine-{number}"))[0]
            for number, (name, sides) in enumerate(machines.items())
        }
        return pooled._joined(own)._remarked(remark, *_remarks(own)), calibrated.report

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

    def with_rate(self, false_alarm_rate: float) -> "Pipeline":
        """The same detectors, told to keep another false-alarm rate when they are recalibrated."""
        threshold = ThresholdConfig(method="conformal", false_alarm_rate=false_alarm_rate)
        recipe = self.recipe.model_copy(update={"threshold": threshold})
        own = {name: pipeline.with_rate(false_alarm_rate) for name, pipeline in self.own.items()}
        return replace(self, recipe=recipe, own=own)

    def with_threshold(self, **fields: Any) -> "Pipeline":
        """The same detectors with a threshold fitted anew on the calibration they have.

        Parameters
        ----------
        **fields
            Of `ThresholdConfig`.

        Raises
        ------
        NotEnoughClipsError
            There is no calibration, and the method needs one.
        """
        threshold = ThresholdConfig.parse(fields, "threshold.")
        own = {name: pipeline.with_threshold(**fields) for name, pipeline in self.own.items()}
        decision = Decision.fit(threshold, self.decision.calibration, apart=tuple(own))
        recipe = self.recipe.model_copy(update={"threshold": threshold})
        moved = replace(self, recipe=recipe, decision=decision)
        return moved._joined(own)._remarked(*_remarks(own))

    def recalibrated(self, normal: Dataset, store: FeatureStore) -> "Pipeline":
        """The same detectors for another unit, from some normal clips of it.

        What the unit sounds otherwise is taken off before it is judged, and the scale of the
        branches and the threshold are fitted anew; what the detectors have learned stays. The new
        unit need not be exchangeable with those of the training, only its own recordings among
        each other.

        Parameters
        ----------
        normal : Dataset
            Normal clips that the detectors have not seen, cut as those of the training.
        store : FeatureStore
            Gives the features.

        Raises
        ------
        ConfigError
            The clips went another way than those of the training.
        """
        if sound_of(normal).clip_seconds != self.sound.clip_seconds:
            raise ConfigError(
                tr(
                    "{data}: clips last {seconds:g} s, and the model judges windows of "
                    "{window:g} s; preprocess with clip_seconds={window:g}",
                    data=normal.root,
                    seconds=sound_of(normal).clip_seconds,
                    window=self.sound.clip_seconds,
                )
            )
        scorer, scores = self.scorer.for_unit(self.recipe, normal, store)
        decision = Decision.fit(self.recipe.threshold, calibration_of(normal, scores))
        own = {}
        for name, pipeline in self.own.items():
            mine = normal.select(lambda clip, name=name: clip.machine == name)  # type: ignore[misc]
            if mine.clips:
                own[name] = pipeline.recalibrated(mine, store)
        usual = Usual.fit(normal, scorer.sample_rate, store)
        moved = replace(self, scorer=scorer, decision=decision, usual=usual)
        return moved._joined(own)._remarked(*_remarks(own))

    def _remarked(self, *remarks: Remark) -> "Pipeline":
        return replace(self, decision=self.decision.remarked(*remarks))

    def of_machine(self, machine: str | None) -> "Pipeline":
        """The pipeline of a machine; this one where it has none of its own."""
        return self if machine is None else self.own.get(machine, self)

    def _joined(self, own: Mapping[str, "Pipeline"]) -> "Pipeline":
        """The same pipeline, that leaves these machines to pipelines of their own."""
        scorers = {name: pipeline.scorer for name, pipeline in own.items()}
        rules = {name: pipeline.decision.pooled for name, pipeline in own.items()}
        decision = replace(self.decision, machines={**self.decision.machines, **rules})
        scorer = replace(self.scorer, own=scorers)
        return replace(self, own=own, scorer=scorer, decision=decision)

    @classmethod
    def _decided(
        cls,
        recipe: Recipe,
        calibrated: Calibrated,
        data: Dataset,
        valid: Dataset,
        store: FeatureStore,
        apart: Sequence[str] = (),
    ) -> "Pipeline":
        anomalies = valid.select(lambda clip: clip.label == "anomaly")
        known = calibrated.scorer.score(anomalies, store) if anomalies.clips else None
        decision = Decision.fit(recipe.threshold, calibrated.calibration, known, apart)
        rated = calibrated.report
        odd = odd_recording_remark(rated.clips, rated.scores, decision.threshold.value)
        normal = data.select(lambda clip: clip.label == "normal")
        return cls(
            scorer=calibrated.scorer,
            decision=decision.remarked(calibrated.remark, odd),
            sound=sound_of(data),
            recipe=recipe,
            trained_on=TrainedOn.of(data),
            usual=Usual.fit(normal, calibrated.scorer.sample_rate, store),
        )

    @property
    def name(self) -> str:
        """The detector's name, or that of a recipe of several branches."""
        return self.recipe.model

    @property
    def threshold(self) -> Threshold:
        """The threshold of a window; of all machines where there are several."""
        return self.decision.threshold

    def promise(self, unit_seconds: float | None = None) -> Promise | None:
        """What the calibration can promise to who judges window after window.

        Parameters
        ----------
        unit_seconds : float, optional
            Typical length of a recording of the calibration: tells how many hours more to record.

        Returns
        -------
        Promise or None
            None where there is no calibration.
        """
        calibration = self.decision.calibration
        if not len(calibration):
            return None
        unit = calibration.unit_name
        return promise(calibration.n_units, self.clip_seconds, unit, unit_seconds)

    def save(self, folder: Path) -> None:
        """Write the pipeline into `folder`: JSON, npz and safetensors, no pickle."""
        files.write(self, folder)
        for number, pipeline in enumerate(self.own.values()):
            pipeline.save(folder / _MACHINES / str(number))

    @classmethod
    def load(cls, folder: Path) -> "Pipeline":
        """Read back what `save` wrote, in this release or an earlier one.

        Raises
        ------
        DetectorError
            The folder does not hold a saved pipeline, or one of a later release.
        """
        fields, machines = files.read(folder)
        pooled = cls(**fields)
        names = enumerate(machines)
        own = {name: cls.load(folder / _MACHINES / str(number)) for number, name in names}
        return pooled._joined(own) if own else pooled


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
                tr(
                    "{data}: has no normal {name} clips, at least 1 is needed; add "
                    "recordings or give another split to preprocess",
                    data=side.root,
                    name=name,
                )
            )
        sides.append(normal)
    return sides[0], sides[1]


def _remarks(own: Mapping[str, Pipeline]) -> list[Remark]:
    """Those on the detectors of single machines, by the name of the machine."""
    return [
        Remark({language: f"{name}: {text}" for language, text in remark.words.items()})
        for name, pipeline in own.items()
        for remark in pipeline.decision.remarks
    ]
