"""Pipelines saved by releases before recipes: read as what they would be today.

They had one log-mel front end and one detector, which took the level off by itself; `auto` was a
detector that held three others.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asd.config.recipe import Branch, Recipe
from asd.config.threshold import ThresholdConfig
from asd.data.sound import Sound
from asd.decision.calibration import Calibration
from asd.decision.decision import Decision
from asd.detectors import detector_class
from asd.detectors.base import Detector
from asd.pipeline.fusion import Fusion
from asd.pipeline.scorer import Scorer

_LEVEL = {
    **dict.fromkeys(("patch", "twfr", "dense_ae", "idnn"), "decibels"),
    **dict.fromkeys(("knn", "mahalanobis", "ocsvm"), "mean"),
}
"""How each detector took the level with ``level=normalised``, as `features.level`."""


def parts(folder: Path, header: Mapping[str, Any], calibration: Calibration) -> dict[str, Any]:
    """What a pipeline is made of, by the names of its fields.

    Parameters
    ----------
    folder : Path
        Of the saved pipeline.
    header : mapping
        Its ``pipeline.json``.
    calibration : Calibration
        Its ``calibration.npz``.
    """
    own = json.loads((folder / "detector" / "detector.json").read_text(encoding="utf-8"))
    name, seed = own["name"], own["seed"]
    if name == "auto":
        branches, fitted, fusion = _auto(folder, header, own)
    else:
        branch = _branch(name, own["config"], header["features"])
        state = detector_class(name)._read_state(folder / "detector")
        branches, fitted = [branch], [_restored(branch, seed, state)]
        fusion = Fusion("mean", np.zeros(1), np.ones(1), np.ones(1))
    saved = header["threshold"]
    threshold = {"method": "fixed", "value": saved["value"]}
    if saved["method"] == "conformal":
        threshold = {"method": "conformal", "false_alarm_rate": saved["asked_rate"]}
    recipe = Recipe(
        label=name,
        branches=tuple(branches),
        fusion=fusion.kind,
        threshold=ThresholdConfig.parse(threshold),
        seed=seed,
    )
    scorer = Scorer.of(recipe, fitted, fusion)
    decision = Decision.from_legacy(saved, calibration.scores, calibration.recordings)
    rate = scorer.front_ends[0].sample_rate
    sound = Sound(sample_rate=rate, clip_seconds=header["clip_seconds"])
    return {"recipe": recipe, "scorer": scorer, "decision": decision, "sound": sound}


def _branch(name: str, config: Mapping[str, Any], features: Mapping[str, Any]) -> Branch:
    """A branch that hears as the detector did."""
    fields = dict(config)
    level = fields.pop("level", "kept")
    heard = {"name": "logmel", **features}
    statistics_only = name == "ocsvm" and fields.get("vector") == "flat"
    if level == "normalised" and not statistics_only and features["level"] == "none":
        heard["level"] = _LEVEL[name]
    known = detector_class(name).Config.model_fields
    return Branch(
        label=name,
        model=name,
        detector={key: value for key, value in fields.items() if key in known},
        features=heard,
    )


def _auto(
    folder: Path, header: Mapping[str, Any], own: Mapping[str, Any]
) -> tuple[list[Branch], list[Detector[Any]], Fusion]:
    with (folder / "detector" / "arrays.npz").open("rb") as file, np.load(file) as arrays:
        state = {key: arrays[key] for key in arrays.files}
    branches, fitted = [], []
    for member in state["members"].tolist():
        start = f"{member}."
        level = own["config"].get("level", "normalised")
        branch = _branch(member, {"level": level}, header["features"])
        mine = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
        branches.append(branch)
        fitted.append(_restored(branch, own["seed"], mine))
    shares = np.full(len(fitted), 1 / len(fitted))
    return branches, fitted, Fusion("logmeanexp", state["centre"], state["spread"], shares)


def _restored(branch: Branch, seed: int, state: dict[str, Any]) -> Detector[Any]:
    kind = detector_class(branch.model)
    detector = kind(kind.Config.parse(branch.detector), seed)
    detector._restore(state)
    return detector
