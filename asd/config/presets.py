"""Detectors as they are listed on a command line: by name, or by a YAML file of settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asd.config.cli import load
from asd.config.steps import FitConfig, TrainConfig
from asd.errors import ConfigError

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Entrant:
    """A detector with all its settings, under a name for tables."""

    label: str
    train: TrainConfig


def read_entrants(
    words: Sequence[str], shared: FitConfig, fields: Mapping[str, Mapping[str, Any]]
) -> list[Entrant]:
    """Settings of each detector of a list.

    Parameters
    ----------
    words : sequence of str
        Names of detectors, or YAML files as for ``train -P config=``.
    shared : FitConfig
        Front end, threshold and seed of the detectors given by name. A file has its own; only
        the seed is shared with it.
    fields : mapping
        The detectors' own fields, by name.

    Raises
    ------
    ConfigError
        A file cannot be read, or fields are given for a detector that is not listed by name.
    """
    unknown = sorted(set(fields) - set(words))
    if unknown:
        raise ConfigError(
            f"detector.{unknown[0]}: not among models={','.join(words)}; write "
            "detector.<model>.<field>"
        )
    return [_read(word, shared, fields.get(word, {})) for word in words]


def _read(word: str, shared: FitConfig, fields: Mapping[str, Any]) -> Entrant:
    if word.endswith(_SUFFIXES):
        preset = load(TrainConfig, ["--config", word, "--seed", str(shared.seed)])
        return Entrant(Path(word).stem, preset)
    common = {name: getattr(shared, name) for name in FitConfig.model_fields}
    return Entrant(word, TrainConfig(model=word, detector=dict(fields), **common))
