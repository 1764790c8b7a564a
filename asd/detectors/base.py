"""The contract that every detector keeps.

A detector is one file ``asd/detectors/<name>.py`` with one public subclass of `Detector`. It is
found by its file name: nothing else needs to change for it to appear in ``model=<name>``, in
sweeps and in the contract tests.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Spectrogram
from asd.config import Config
from asd.errors import DetectorError, NotEnoughClipsError
from asd.features.clipset import ClipSet
from asd.language import tr
from asd.threads import usual_threads

Scores = NDArray[np.float64]

EpochCallback = Callable[[int, Mapping[str, float]], None]
"""Called once an epoch with its number (from 1) and its metrics."""


def ignore_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """The epoch callback that does nothing."""


@dataclass(frozen=True)
class FitContext:
    """The circumstances of a fit, which change nothing of what is learned."""

    on_epoch: EpochCallback = ignore_epoch
    """Told once an epoch; detectors that are fitted in one step do not call it."""
    checkpoint_dir: Path | None = None
    """Folder in which detectors that train for many epochs keep their state after each, and from
    which they go on after a kill; the caller deletes it when the fitted detector is safe."""
    device: str = "auto"
    """Where networks are trained: a name that torch knows, or `auto` for the first CUDA device
    where there is one, else the processor."""
    jobs: int | None = None
    """Threads that train; as many as torch would use where not given."""
    progress: bool = True
    """Whether a fit that takes long shows how far it is."""

    @property
    def threads(self) -> int:
        """Threads that train."""
        return self.jobs or usual_threads()

    def below(self, label: str) -> "FitContext":
        """The same, with state kept in a folder named `label`; empty for the same folder."""
        if self.checkpoint_dir is None or not label:
            return self
        return replace(self, checkpoint_dir=self.checkpoint_dir / label)

    def quiet(self) -> "FitContext":
        """The same, for a fit whose epochs are not reported."""
        return replace(self, on_epoch=ignore_epoch)

    def one_of(self, at_once: int) -> "FitContext":
        """The same, for each of so many fits at the same time: its share of threads, and no bar."""
        if at_once <= 1:
            return self
        return replace(self, jobs=max(1, self.threads // at_once), progress=False)


class DetectorConfig(Config):
    """Base of the configs that detectors own.

    A search range for sweeps stands beside its field, as
    ``k: Annotated[int, Search(1, 16, log=True)] = Field(5, ge=1)``; see `asd.config.search`.
    """


C = TypeVar("C", bound=DetectorConfig)


class Detector(ABC, Generic[C]):
    """Learns what normal sounds like and scores how far a clip is from it.

    A higher score is more anomalous, always. The constructor only stores; `fit` learns.
    Attributes that are learned end in an underscore.
    """

    name: ClassVar[str]
    """The file's name, the word after ``model=``."""
    Config: ClassVar[type[DetectorConfig]]
    """The detector's own configuration class."""
    min_clips: ClassVar[int] = 2
    """The least number of training clips."""
    stops_early: ClassVar[bool] = False
    """Whether the validation clips decide when learning ends, see `settled`."""
    in_threads: ClassVar[bool] = False
    """Whether threads fit several at once, see `fits_at_once`, and score parts of a data set: where
    that takes long, leaves the interpreter to others, and changes nothing that is there for all."""

    def __init__(self, config: C, seed: int = 0) -> None:
        self.config = config
        self.seed = seed

    def fit(self, train: ClipSet, valid: ClipSet, context: FitContext | None = None) -> Self:
        """Learn from normal clips.

        Parameters
        ----------
        train : ClipSet
            Normal clips to learn from.
        valid : ClipSet
            Normal clips for early stopping; may be empty. Never used to fit anything else.
        context : FitContext, optional
            Circumstances: who is told of each epoch, where state is kept, what may be used.

        Raises
        ------
        NotEnoughClipsError
            There are fewer than `min_clips` training clips.
        """
        if len(train) < self.min_clips:
            raise NotEnoughClipsError(
                tr(
                    "model={name} needs at least {min_clips} training clips, got {n}; "
                    "add recordings or cut shorter clips (clip_seconds)",
                    name=self.name,
                    min_clips=self.min_clips,
                    n=len(train),
                )
            )
        self._fit(train, valid, context or FitContext())
        return self

    def settled(self) -> C:
        """The config with which a further fit learns for as long as this one did.

        It needs no validation clips for that: those of a calibration fold are to be scored, and
        what has a say in when learning ends scores too low.
        """
        return self.config

    def fits_at_once(self, context: FitContext) -> int:
        """How many fits threads make at the same time, of calibration folds or of a run-off."""
        return context.threads if self.in_threads else 1

    def _check_bands(self, trained_on: int, got: int) -> None:
        """Refuse clips with another number of mel bands than those of the training."""
        if got != trained_on:
            raise DetectorError(
                tr(
                    "model={name}: trained on {expected} mel bands, got {n_mels}; set "
                    "features.n_mels={expected}",
                    name=self.name,
                    expected=trained_on,
                    n_mels=got,
                )
            )

    @abstractmethod
    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:
        """Learn; the number of clips has been checked."""

    @abstractmethod
    def score(self, clips: ClipSet) -> Scores:
        """Anomaly score of each clip, ``(n_clips,)`` float64, higher = more anomalous.

        The score of a clip does not depend on the clips it is scored together with.
        """

    @abstractmethod
    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Which part of each sound is unusual: one ``(n_rows, n_frames_i)`` map a clip, >= 0."""

    @abstractmethod
    def _state(self) -> dict[str, NDArray[Any]]:
        """What was learned, as named arrays."""

    @abstractmethod
    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take back what `_state` gave."""

    def save(self, folder: Path) -> None:
        """Write config (JSON) and what was learned (npz) into `folder`; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        header = {"name": self.name, "seed": self.seed, "config": self.config.model_dump()}
        (folder / "detector.json").write_text(json.dumps(header, indent=2), encoding="utf-8")
        self._write_state(folder, self._state())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read back what `save` wrote.

        Raises
        ------
        DetectorError
            The folder does not hold a saved detector of this kind.
        """
        try:
            header = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
            state = cls._read_state(folder)
        except (OSError, ValueError, BadZipFile) as error:
            raise DetectorError(
                tr("{folder}: not a saved detector ({error})", folder=folder, error=error)
            ) from error
        if header["name"] != cls.name:
            raise DetectorError(
                tr(
                    "{folder}: holds model={name}, not {own}",
                    folder=folder,
                    name=header["name"],
                    own=cls.name,
                )
            )
        detector = cls(cls.Config.parse(header["config"], "detector."), header["seed"])  # type: ignore[arg-type]
        detector._restore(state)
        return detector

    @classmethod
    def _write_state(cls, folder: Path, state: dict[str, NDArray[Any]]) -> None:
        """Write named arrays into `folder`; detectors with weights choose another format."""
        np.savez(folder / "arrays.npz", allow_pickle=False, **state)

    @classmethod
    def _read_state(cls, folder: Path) -> dict[str, NDArray[Any]]:
        """Read back what `_write_state` wrote.

        What cannot be read raises OSError, ValueError or BadZipFile.
        """
        # NumPy would leave open what it has opened itself and cannot read.
        with (folder / "arrays.npz").open("rb") as file, np.load(file) as arrays:
            return {key: arrays[key] for key in arrays.files}
