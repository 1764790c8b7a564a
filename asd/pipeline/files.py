"""The files of a saved pipeline: JSON, npz and safetensors, no pickle."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from asd.config.base import Config
from asd.config.recipe import Recipe
from asd.data.sound import Sound
from asd.decision.calibration import Calibration
from asd.decision.decision import Decision
from asd.errors import ConfigError, DetectorError
from asd.language import tr
from asd.pipeline import legacy
from asd.pipeline.equaliser import Equaliser
from asd.pipeline.fusion import Fusion
from asd.pipeline.scorer import Scorer
from asd.pipeline.tilt import Tilt
from asd.pipeline.trained_on import TrainedOn
from asd.pipeline.usual import Usual

if TYPE_CHECKING:
    from asd.pipeline.pipeline import Pipeline

FORMAT = 4
"""Raised whenever a saved pipeline would no longer be understood by the release before."""
_OLDEST = 2
"""The first format with a number; those before are read by `legacy`."""
_HEADER = "pipeline.json"
_CALIBRATION = "calibration.npz"
_USUAL = "usual.npz"
_BRANCHES = "branches"

C = TypeVar("C", bound=Config)


def write(pipeline: "Pipeline", folder: Path) -> None:
    """Write a pipeline, without those of single machines, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pipeline.scorer.save(folder / _BRANCHES)
    arrays = pipeline.decision.calibration.to_arrays()
    np.savez(folder / _CALIBRATION, allow_pickle=False, **arrays)
    if pipeline.usual is not None:
        np.savez(folder / _USUAL, allow_pickle=False, **pipeline.usual.to_arrays())
    header = {
        "format": FORMAT,
        "recipe": pipeline.recipe.model_dump(mode="json"),
        "fusion": pipeline.scorer.fusion.to_dict(),
        "tilts": [tilt and tilt.to_dict() for tilt in pipeline.scorer.tilts],
        "equalisers": {key: each.to_dict() for key, each in pipeline.scorer.equalisers.items()},
        "decision": pipeline.decision.to_dict(),
        "sound": pipeline.sound.model_dump(mode="json"),
        "trained_on": asdict(pipeline.trained_on),
        "own": list(pipeline.own),
    }
    text = json.dumps(header, indent=2, ensure_ascii=False)
    (folder / _HEADER).write_text(text, encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, Any], Sequence[str]]:
    """What `write` wrote, in this release or an earlier one.

    Returns
    -------
    dict
        The fields of the pipeline, but for `Pipeline.own`.
    sequence of str
        The machines that have a pipeline of their own.

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
            parts = legacy.parts(folder, header, calibration)
            return parts | {"trained_on": TrainedOn(**header["trained_on"])}, ()
        _check_format(folder, header["format"])
        recipe = _parsed(Recipe, header["recipe"])
        fusion = Fusion.from_dict(header["fusion"])
        tilts = [tilt and Tilt.from_dict(tilt) for tilt in header.get("tilts", ())]
        known = header.get("equalisers", {})
        equalisers = {key: Equaliser.from_dict(values) for key, values in known.items()}
        fields = {
            "recipe": recipe,
            "scorer": Scorer.load(folder / _BRANCHES, recipe, fusion, tilts, equalisers),
            "decision": Decision.from_dict(header["decision"], calibration),
            "sound": _parsed(Sound, header["sound"]),
            "trained_on": TrainedOn(**header["trained_on"]),
            "usual": _usual(folder / _USUAL),
        }
        return fields, list(header.get("own", ()))
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise DetectorError(
            tr("{folder}: not a saved pipeline ({error})", folder=folder, error=error)
        ) from error


def _usual(path: Path) -> Usual | None:
    if not path.is_file():
        return None
    with path.open("rb") as file, np.load(file) as arrays:
        return Usual.from_arrays(dict(arrays))


def _check_format(folder: Path, number: Any) -> None:
    if not _OLDEST <= number <= FORMAT:
        raise DetectorError(
            tr(
                "{folder}: saved in format {number} by a later release, this one "
                "reads up to {format}; update the package",
                folder=folder,
                number=number,
                format=FORMAT,
            )
        )


def _parsed(config: type[C], values: Any) -> C:
    """A part of the header; its fields are the file's, not the user's."""
    try:
        return config.parse(values)
    except ConfigError as error:
        raise ValueError(str(error)) from error
