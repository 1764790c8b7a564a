"""The convolutional autoencoder of the original scripts."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from asd.config.search import Choose
from asd.detectors.nets.autoencoder import TorchAutoencoder
from asd.detectors.nets.training import TrainingConfig
from asd.detectors.nets.transposed import TransposedConv2d

_STRIDE = 8
"""Three layers of stride 2."""


class CnnConfig(TrainingConfig):
    """Size of the network and how it is trained."""

    channels: Annotated[int, Choose(8, 16, 32)] = Field(16, ge=1, le=256)
    """Channels after the first layer; the second has twice, the third four times as many."""


class ConvAutoencoder(nn.Module):
    """Three convolutions down, three transposed convolutions back, and a sigmoid.

    With 16 channels there are 46,529 parameters. The layers give back exactly the size of an
    input with a multiple of 8 mel bands and one frame less than a multiple of 8, such as
    128 x 311; other inputs are extended by repeating their last band and frame, and cut back.

    Parameters
    ----------
    channels : int
        Channels after the first layer.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        one, two, three = channels, 2 * channels, 4 * channels
        self.encoder = nn.Sequential(
            nn.Conv2d(1, one, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(one, two, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(two, three, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )
        self.decoder = nn.Sequential(
            TransposedConv2d(three, two, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(inplace=True),
            TransposedConv2d(two, one, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(inplace=True),
            TransposedConv2d(one, 1, 3, stride=2, padding=1, output_padding=(1, 0)),
            nn.Sigmoid(),
        )

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Rebuild clips ``(n, n_mels, n_frames)`` in [0, 1]; the same shape comes back."""
        n_mels, n_frames = clips.shape[1:]
        margins = (0, (_STRIDE - 1 - n_frames) % _STRIDE, 0, -n_mels % _STRIDE)
        padded = nn.functional.pad(clips[:, None], margins, mode="replicate")
        logits = self.decoder[:-1](self.encoder(padded))
        # In float32 whatever came before: near 0 and 1 bfloat16 leaves the sigmoid no gradient.
        rebuilt: torch.Tensor = self.decoder[-1](logits.float())
        return rebuilt[:, 0, :n_mels, :n_frames]


class Cnn(TorchAutoencoder[CnnConfig]):
    """Rebuilds spectrograms as pictures: finds sounds in places where none used to be."""

    name = "cnn"
    any_bands = True
    Config: ClassVar[type[CnnConfig]] = CnnConfig

    def _build(self, n_mels: int) -> ConvAutoencoder:  # noqa: ARG002 - any number will do
        # Processors work through convolutions faster with the channels of a point together.
        return ConvAutoencoder(self.config.channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def _n_mels(self, weights: dict[str, torch.Tensor]) -> int:  # noqa: ARG002 - any number will do
        return _STRIDE
