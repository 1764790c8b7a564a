"""The LSTM autoencoder of the original scripts."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from asd.config.search import Choose
from asd.detectors.nets.autoencoder import TorchAutoencoder
from asd.detectors.nets.training import TrainingConfig


class LstmConfig(TrainingConfig):
    """Size of the network and how it is trained."""

    hidden: Annotated[int, Choose(32, 64, 128)] = Field(64, ge=1, le=1024)
    """Size of the state of both LSTMs."""
    latent: Annotated[int, Choose(8, 16, 32)] = Field(32, ge=1, le=1024)
    """Numbers into which a whole clip is summed up."""
    layers: int = Field(1, ge=1, le=8)
    """LSTM layers on top of each other, in the encoder and in the decoder."""


class LstmAutoencoder(nn.Module):
    """One LSTM reads a clip, its last state is squeezed, and a second LSTM writes it again.

    Parameters
    ----------
    n_mels : int
        Mel bands, the numbers a frame.
    hidden : int
        Size of the state of both LSTMs.
    latent : int
        Size of the summary of a clip, which the decoder sees at every frame.
    layers : int
        LSTM layers on top of each other.
    """

    def __init__(self, n_mels: int = 128, hidden: int = 64, latent: int = 32, layers: int = 1):
        super().__init__()
        self.encoder_lstm = nn.LSTM(n_mels, hidden, layers)
        self.enc_linear = nn.Linear(hidden, latent)
        self.decoder_lstm = nn.LSTM(latent, hidden, layers)
        self.dec_output = nn.Linear(hidden, n_mels)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Rebuild clips ``(n, n_mels, n_frames)``; the same shape comes back."""
        # Frames first: the LSTM walks over memory in order, a fifth faster than clips first.
        frames = clips.permute(2, 0, 1).contiguous()
        _, (state, _) = self.encoder_lstm(frames)
        summary = self.enc_linear(state[-1])
        written, _ = self.decoder_lstm(summary.expand(len(frames), -1, -1))
        rebuilt: torch.Tensor = self.dec_output(written)
        return rebuilt.permute(1, 2, 0)


class Lstm(TorchAutoencoder[LstmConfig]):
    """Rebuilds spectrograms frame by frame: finds sounds that take another course in time."""

    name = "lstm"
    Config: ClassVar[type[LstmConfig]] = LstmConfig

    def _build(self, n_mels: int) -> LstmAutoencoder:
        config = self.config
        return LstmAutoencoder(n_mels, config.hidden, config.latent, config.layers)

    def _sides(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # As the network lays its answer out: to compare one with the other takes half the time.
        return super()._sides(clips.permute(2, 0, 1).contiguous().permute(1, 2, 0))

    def _n_mels(self, weights: dict[str, torch.Tensor]) -> int:
        return len(weights["dec_output.weight"])
