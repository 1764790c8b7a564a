"""The training of the original scripts, written anew as the baseline to be measured against.

Every clip of every epoch is read from its WAV file and made into a log-mel spectrogram by
librosa, and the network is trained by a plain loop in float32.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import librosa
import numpy as np
import torch

from asd.arrays import Spectrogram

Load = Callable[[int], Spectrogram]


def spectrogram(path: Path) -> Spectrogram:
    """Log-mel spectrogram of a WAV file as the original made it, ``(128, n_frames)`` in [0, 1]."""
    samples, rate = librosa.load(path, sr=16000)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=1024, hop_length=512, n_mels=128)
    decibels = librosa.power_to_db(mel, ref=np.max)
    scaled: Spectrogram = ((np.clip(decibels, -80, 0) + 80) / 80).astype(np.float32)
    return scaled


def reader(files: Sequence[Path]) -> Load:
    """What gives a clip by its number, computed anew each time."""
    return lambda index: spectrogram(files[index])


class Original:
    """The original's loop for one network.

    Parameters
    ----------
    network : torch.nn.Module
        Maps ``(n, n_mels, n_frames)`` to the same shape.
    batch_size : int
        Clips an update of the weights.
    seed : int
        Seed of the order of clips.
    """

    def __init__(self, network: torch.nn.Module, batch_size: int, seed: int) -> None:
        self.network = network
        self.batch_size = batch_size
        self.optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        self.rng = np.random.default_rng(seed)

    def epoch(self, load: Load, n_clips: int) -> None:
        """Train on all clips once."""
        self.network.train()
        order = self.rng.permutation(n_clips).tolist()
        for start in range(0, n_clips, self.batch_size):
            batch = order[start : start + self.batch_size]
            clips = torch.from_numpy(np.stack([load(index) for index in batch]))
            loss = torch.nn.functional.mse_loss(self.network(clips), clips)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()

    def errors(self, clips: Sequence[Spectrogram]) -> Spectrogram:
        """Mean squared error of each clip, ``(n_clips,)``."""
        self.network.eval()
        with torch.inference_mode():
            inputs = torch.from_numpy(np.stack(clips))
            means: Spectrogram = torch.mean((self.network(inputs) - inputs) ** 2, (1, 2)).numpy()
        return means

    def learn(
        self, train: Sequence[Spectrogram], valid: Sequence[Spectrogram], epochs: int
    ) -> None:
        """Train on spectrograms at hand, and go back to the best epoch on validation."""
        best, weights = float("inf"), self.network.state_dict()
        for _ in range(epochs):
            self.epoch(lambda index: train[index], len(train))
            loss = float(self.errors(valid).mean())
            if loss < best:
                best = loss
                weights = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.network.load_state_dict(weights)
