"""The interpolation network: a frame is told from its neighbours."""

from typing import ClassVar

import torch

from asd.detectors.nets.frames import FRAMES, FrameAutoencoder, FramesConfig, dense

_MIDDLE = FRAMES // 2


class IdnnConfig(FramesConfig):
    """What windows are scored by, and how the network is trained."""


class Idnn(FrameAutoencoder[IdnnConfig]):
    """Tells the middle one of five frames from the other four.

    An autoencoder finds the onset of any sound hard to rebuild, normal or not; between its
    neighbours a frame is easier to tell (K. Suefusa et al., "Anomalous Sound Detection Based on
    Interpolation Deep Neural Network", ICASSP 2020). At the ends of a clip its first and last
    frames stand in for the neighbours that are missing.
    """

    name = "idnn"
    Config: ClassVar[type[IdnnConfig]] = IdnnConfig

    def _build(self, n_mels: int) -> torch.nn.Module:
        return dense((FRAMES - 1) * n_mels, 64, 32, 16, 32, 64, n_mels)

    def _told(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        around = torch.cat([windows[..., :_MIDDLE, :], windows[..., _MIDDLE + 1 :, :]], dim=-2)
        told: torch.Tensor = self.network_(around.flatten(-2))
        return told.unsqueeze(-2), windows[..., _MIDDLE, None, :]

    def _margins(self, n_frames: int) -> tuple[int, int]:  # noqa: ARG002 - the same for all
        return _MIDDLE, _MIDDLE

    def _n_mels(self, weights: dict[str, torch.Tensor]) -> int:
        return weights["0.weight"].shape[1] // (FRAMES - 1)
