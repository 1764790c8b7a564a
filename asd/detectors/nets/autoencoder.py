"""What detectors with a network that rebuilds its input have in common."""

import threading
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from asd.arrays import Scores, Spectrogram
from asd.detectors.base import Detector, FitContext
from asd.detectors.nets.errors import row_errors
from asd.detectors.nets.training import Task, TrainingConfig, best_epoch, train_network
from asd.detectors.nets.workers import Workers, device
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_WEIGHTS_NAME = "weights.safetensors"
_RANGE_KEYS = ("input.low", "input.high")

_TAIL = 0.001
"""Share of values at either end that may lie outside [0, 1] after normalisation: the loudest and
quietest single values of a data set say little about the rest."""
_SAMPLED_CLIPS = 512
_SAMPLED_FRAMES = 64

_BUILDING = threading.Lock()
"""First weights are drawn from torch's own random numbers, which all threads share."""

T = TypeVar("T", bound=TrainingConfig)


class TorchAutoencoder(Detector[T]):
    """Learns to rebuild normal sounds; the score is the mean squared error of a clip.

    Spectrograms that are not within [0, 1] already are brought there by one affine map, fitted
    on the training clips and saved with the weights.

    Attributes
    ----------
    history_ : list of dict
        Metrics of each epoch of the last `fit`.
    network_ : torch.nn.Module
        The trained network.
    low_, high_ : float
        Input values that become 0 and 1.
    """

    stops_early = True
    any_bands: ClassVar[bool] = False
    """Whether the network takes clips of another number of bands than those of the training."""

    @abstractmethod
    def _build(self, n_mels: int) -> torch.nn.Module:
        """A new network that maps ``(n, n_mels, n_frames)`` in [0, 1] to the same shape."""

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:
        self.low_, self.high_ = _value_range(train)
        with _BUILDING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = self._build(len(train[0])).to(device(context.device))
        task = Task(f"model={self.name}", self.network_, self._losses, train, valid)
        self.history_ = train_network(task, self.config, self.seed, context)
        self.network_.eval()

    def settled(self) -> T:
        """With as many epochs as the best one came after."""
        return self.config.model_copy(update={"epochs": best_epoch(self.history_), "patience": 0})

    def fits_at_once(self, context: FitContext) -> int:
        """One a thread of the processor: fits share it better than the clips of a batch do."""
        return context.threads if device(context.device).type == "cpu" else 1

    def score(self, clips: ClipSet) -> Scores:
        """Mean squared error of each clip, ``(n_clips,)``, in squares of the input range."""
        errors = [error.mean(dtype=np.float64) for error in self._error_maps(clips)]
        return np.asarray(errors, dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Squared error of each value: one ``(n_mels, n_frames_i)`` map a clip.

        The mean of a map is the clip's score.
        """
        return list(self._error_maps(clips))

    def _error_maps(self, clips: ClipSet) -> Iterator[Spectrogram]:
        """One clip at a time: sums of floats depend on what else is in a batch."""
        if len(clips) == 1:
            yield self._error_map(clips[0])
            return
        with Workers(self._device) as workers:
            yield from workers.map(self._error_map, clips)

    @one_thread()
    def _error_map(self, clip: Spectrogram) -> Spectrogram:
        if not self.any_bands:
            self._check_bands(self._n_mels(self.network_.state_dict()), len(clip))
        with torch.inference_mode():
            alone = as_tensor(clip)[None].to(self._device)
            return self._squared_errors(alone)[0].cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return next(self.network_.parameters()).device

    def _losses(self, clips: torch.Tensor) -> torch.Tensor:
        return row_errors(*self._sides(clips)).mean(1)

    def _squared_errors(self, clips: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(*self._sides(clips), reduction="none")

    def _sides(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network makes of clips, and the clips, both in [0, 1] and float32."""
        scaled = clips
        if (self.low_, self.high_) != (0.0, 1.0):
            scaled = clips.sub(self.low_).div_(self.high_ - self.low_)
        return self.network_(scaled).float(), scaled

    def _state(self) -> dict[str, NDArray[Any]]:
        weights = {key: value.cpu().numpy() for key, value in self.network_.state_dict().items()}
        ends = (np.asarray(end, dtype=np.float64) for end in (self.low_, self.high_))
        return weights | dict(zip(_RANGE_KEYS, ends, strict=True))

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.low_, self.high_ = (float(state[key]) for key in _RANGE_KEYS)
        weights = {k: torch.from_numpy(v) for k, v in state.items() if k not in _RANGE_KEYS}
        self._set_weights(weights)

    def adopt(self, weights: dict[str, torch.Tensor]) -> None:
        """Become fitted with weights trained elsewhere, on spectrograms in [0, 1].

        Raises
        ------
        RuntimeError
            They are not of the network that the config describes.
        """
        self.low_, self.high_ = 0.0, 1.0
        self._set_weights(weights)

    @abstractmethod
    def _n_mels(self, weights: dict[str, torch.Tensor]) -> int:
        """Number of mel bands of the network that has these weights."""

    def _set_weights(self, weights: dict[str, torch.Tensor]) -> None:
        self.network_ = self._build(self._n_mels(weights)).to(device())
        self.network_.load_state_dict(weights)
        self.network_.eval()

    @classmethod
    def _write_state(cls, folder: Path, state: dict[str, NDArray[Any]]) -> None:
        # safetensors writes memory as it lies, whatever the strides say.
        packed = {key: np.asarray(value, order="C") for key, value in state.items()}
        (folder / _WEIGHTS_NAME).write_bytes(save(packed))

    @classmethod
    def _read_state(cls, folder: Path) -> dict[str, NDArray[Any]]:
        try:
            return load_file(folder / _WEIGHTS_NAME)
        except SafetensorError as error:
            raise ValueError(f"{_WEIGHTS_NAME}: {error}") from error


def as_tensor(clip: Spectrogram) -> torch.Tensor:
    """The clip as a tensor; copied where it may not be written to, which torch does not know."""
    return torch.from_numpy(np.require(clip, requirements=["C", "W"]))


def _value_range(clips: ClipSet) -> tuple[float, float]:
    """The values that become 0 and 1: themselves where all clips are in [0, 1] already."""
    if all(clip.min() >= 0 and clip.max() <= 1 for clip in clips):
        return 0.0, 1.0
    chosen = np.unique(np.linspace(0, len(clips) - 1, _SAMPLED_CLIPS).round().astype(int))
    values = np.concatenate([_some_frames(clips[index]).ravel() for index in chosen])
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    return float(low), float(max(high, low + 1e-3))


def _some_frames(clip: Spectrogram) -> Spectrogram:
    step = -(-clip.shape[1] // _SAMPLED_FRAMES)
    return clip[:, ::step]
