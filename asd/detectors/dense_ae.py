"""The autoencoder that has been the baseline of DCASE Task 2 since 2020."""

from typing import ClassVar

import torch

from asd.detectors.nets.frames import FRAMES, FrameAutoencoder, FramesConfig, dense

_WIDTH, _NARROW = 128, 8


class DenseAeConfig(FramesConfig):
    """What windows are scored by, and how the network is trained."""


class DenseAe(FrameAutoencoder[DenseAeConfig]):
    """Rebuilds five frames at a time through eight numbers.

    The layers are those of the baseline (Y. Koizumi et al., DCASE 2020; N. Harada et al.,
    EUSIPCO 2023): with 128 mel bands 640-128-128-128-128-8-128-128-128-128-640. Its selective
    Mahalanobis score takes the lesser of the distances for two domains; here there is one.
    """

    name = "dense_ae"
    Config: ClassVar[type[DenseAeConfig]] = DenseAeConfig

    def _build(self, n_mels: int) -> torch.nn.Module:
        wide = [_WIDTH] * 4
        return dense(FRAMES * n_mels, *wide, _NARROW, *wide, FRAMES * n_mels)

    def _told(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = windows.flatten(-2).contiguous()
        rebuilt: torch.Tensor = self.network_(rows)
        return rebuilt.reshape(windows.shape), rows.reshape(windows.shape)

    def _n_mels(self, weights: dict[str, torch.Tensor]) -> int:
        return weights["0.weight"].shape[1] // FRAMES
