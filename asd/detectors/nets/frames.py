"""What networks that judge a few frames at a time have in common."""

from abc import abstractmethod
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from asd.config.search import Choose
from asd.detectors._patches import evenly
from asd.detectors.base import FitContext
from asd.detectors.nets.autoencoder import TorchAutoencoder, as_tensor
from asd.detectors.nets.errors import row_errors
from asd.detectors.nets.training import TrainingConfig
from asd.detectors.nets.workers import device
from asd.features.clipset import ClipSet

FRAMES = 5
"""Frames of a window."""

_RANGE = 6.0
"""Values reach the network between -3 and 3, about one apart in the mean: from values between 0
and 1 it learns half as fast."""
_WHITENING_KEY = "whitening"
_SAMPLED_CLIPS = 512
_SAMPLED_WINDOWS = 20_000
_LEAST_VARIANCE = 1e-4
"""Smallest variance of an error in any direction, relative to the mean over directions."""


class FramesConfig(TrainingConfig):
    """What windows are scored by, and how the network is trained."""

    score: Annotated[Literal["mse", "mahalanobis"], Choose("mse", "mahalanobis")] = "mse"
    """`mse`: mean squared error. `mahalanobis`: errors in units of their spread in training, so
    that bands which are always hard to tell count less."""
    precision: Literal["auto", "float32"] = "float32"
    """As of the other networks, which lose nothing by `auto`; here it finds fewer faults."""


T = TypeVar("T", bound=FramesConfig)


class FrameAutoencoder(TorchAutoencoder[T]):
    """Judges windows of `FRAMES` frames by what a network says of them.

    Attributes
    ----------
    whitening_ : Tensor or None
        Inverse square root of the covariance of the errors, ``(n_errors, n_errors)``; None with
        ``score="mse"``.
    """

    @abstractmethod
    def _told(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network says of windows ``(..., FRAMES, n_mels)``, and what it should say.

        Both are ``(..., n_judged, n_mels)``: the frames judged are all, or the one in the middle.
        """

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:
        self.whitening_: torch.Tensor | None = None
        super()._fit(train, valid, context)
        if self.config.score == "mahalanobis":
            self.whitening_ = self._whiten(train)

    def _losses(self, clips: torch.Tensor) -> torch.Tensor:
        # The mean over bands first: what is laid over each other then is one number a frame.
        rows = row_errors(*self._sides(clips)).unsqueeze(-1)
        return _by_frame(rows)[:, : clips.shape[2]].mean((1, 2))

    def _squared_errors(self, clips: torch.Tensor) -> torch.Tensor:
        told, truth = self._sides(clips)
        errors = told - truth
        if self.whitening_ is not None:
            errors = (errors.flatten(2) @ self.whitening_).reshape(errors.shape)
        return _by_frame(errors.square())[:, : clips.shape[2]].transpose(1, 2)

    def _sides(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        told, truth = self._told(self._windows(clips))
        return told.float(), truth

    def _windows(self, clips: torch.Tensor) -> torch.Tensor:
        """Windows of scaled clips, one a frame apart: ``(n_clips, n_windows, FRAMES, n_mels)``.

        They share their memory, in which a frame lies in one piece, and so does a window.
        """
        scaled = ((clips - self.low_) / (self.high_ - self.low_) - 0.5) * _RANGE
        before, after = self._margins(clips.shape[2])
        padded = torch.nn.functional.pad(scaled, (before, after), mode="replicate")
        return padded.transpose(1, 2).contiguous().unfold(1, FRAMES, 1).transpose(2, 3)

    def _margins(self, n_frames: int) -> tuple[int, int]:
        """How many times the first and the last frame are repeated: till there is a window."""
        return 0, max(0, FRAMES - n_frames)

    def _whiten(self, train: ClipSet) -> torch.Tensor:
        """Fit the spread of the errors, shrunk as in O. Ledoit and M. Wolf (2004)."""
        chosen = evenly(len(train), _SAMPLED_CLIPS)
        most = _SAMPLED_WINDOWS // len(chosen)
        errors = []
        self.network_.eval()
        with torch.inference_mode():
            for index in chosen:
                clip = as_tensor(train[int(index)])[None].to(self._device)
                windows = self._windows(clip)[0]
                some = torch.from_numpy(evenly(len(windows), most))
                told, truth = self._told(windows[some])
                errors.append((told - truth).flatten(1).cpu().numpy())
        covariance, _ = ledoit_wolf(np.concatenate(errors).astype(np.float64), assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        least = max(_LEAST_VARIANCE * float(variances.mean()), 1e-12)
        whitening = (directions / np.sqrt(np.maximum(variances, least))) @ directions.T
        return torch.from_numpy(whitening.astype(np.float32)).to(self._device)

    def _state(self) -> dict[str, NDArray[Any]]:
        state = super()._state()
        if self.whitening_ is not None:
            state[_WHITENING_KEY] = self.whitening_.cpu().numpy()
        return state

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        whitening = state.get(_WHITENING_KEY)
        self.whitening_ = None if whitening is None else torch.from_numpy(whitening).to(device())
        super()._restore({key: state[key] for key in state if key != _WHITENING_KEY})


def dense(*sizes: int) -> torch.nn.Sequential:
    """Linear layers of these sizes, each but the last with normalisation and ReLU.

    Normalised is over the units of a window, not over a batch: what a window gives does not then
    depend on the others, in training or after.
    """
    layers: list[torch.nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers += [torch.nn.Linear(before, after), torch.nn.LayerNorm(after)]
        layers += [torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-2], sizes[-1]))


def _by_frame(squares: torch.Tensor) -> torch.Tensor:
    """Mean over the windows that judge a frame, ``(n_clips, n_frames, n_mels)``."""
    n_clips, n_windows, n_judged, n_mels = squares.shape
    if n_judged == 1:
        return squares[:, :, 0]
    total = squares.new_zeros(n_clips, n_windows + n_judged - 1, n_mels)
    times = squares.new_zeros(n_windows + n_judged - 1, 1)
    for offset in range(n_judged):
        total[:, offset : offset + n_windows] += squares[:, :, offset]
        times[offset : offset + n_windows] += 1
    return total / times
