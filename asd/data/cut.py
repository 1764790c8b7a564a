"""Cut one recording into clips, however long it is."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from asd.audio.completeness import Truncated
from asd.audio.condition import Condition, Meter
from asd.audio.decode import stream_blocks
from asd.audio.encode import write_wav
from asd.audio.fingerprint import Listener, Words
from asd.files import file_digest

Samples = NDArray[np.float32]
Remainder = Literal["drop", "keep"]

MIN_REMAINDER_S = 0.5
"""Least length in seconds of a last partial clip that ``remainder=keep`` keeps."""


@dataclass(frozen=True)
class Piece:
    """One clip, cut but not yet in its place."""

    file: Path | None
    """None where nothing is written."""
    start_s: float
    duration_s: float
    sha256: str


@dataclass(frozen=True)
class Cut:
    """What a recording was cut into."""

    path: Path
    """The recording."""
    pieces: tuple[Piece, ...]
    """Its clips in order of time."""
    dropped_s: float
    """Seconds at its end that fill no clip."""
    short: bool
    """It is shorter than one clip."""
    condition: Condition
    """What it is like, apart from the machine."""
    fingerprint: Words
    """By which its sound is known in other files."""


@dataclass(frozen=True)
class Cutter:
    """Cuts recordings into WAV files; called with a path, in any process."""

    folder: Path | None
    """Where the pieces are put; None to look only."""
    size: int
    """Samples in a clip."""
    sample_rate: int
    """Sampling rate of the clips in Hz."""
    remainder: Remainder
    """Whether the end that fills no clip is kept."""
    channel: int | None
    """Channel to take; the mean of all for None."""
    stream: int = 0
    """Audio track to take, from 0."""
    truncated: Truncated = "refuse"
    """What becomes of a recording that has lost its end."""

    def __call__(self, path: Path) -> Cut:
        """Cut one recording.

        Raises
        ------
        AudioError
            It cannot be decoded, is too short, silent, lacks the channel, or holds NaN or infinite
            samples.
        """
        prefix = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        pieces: list[Piece] = []
        dropped = 0
        meter = Meter(self.channel)
        blocks = stream_blocks(
            path,
            self.sample_rate,
            self.channel,
            self.stream,
            block_s=self.size / self.sample_rate,
            meter=meter,
            truncated=self.truncated,
        )
        listener = Listener(self.sample_rate)
        for number, samples in enumerate(listener.through(blocks)):
            if number and len(samples) < self._least():
                dropped = len(samples)
                continue
            pieces.append(self._piece(f"{prefix}-{number}.wav", number, samples))
        total_s = sum(piece.duration_s for piece in pieces)
        short = total_s * self.sample_rate < self.size
        return Cut(
            path=path,
            pieces=tuple(pieces),
            dropped_s=dropped / self.sample_rate,
            short=short,
            condition=meter.condition(),
            fingerprint=listener.words(),
        )

    def _piece(self, name: str, number: int, samples: Samples) -> Piece:
        # Lossy codecs and resampling overshoot full scale a little; 16 bits cannot.
        np.clip(samples, -1.0, 1.0, out=samples)
        start_s, duration_s = number * self.size / self.sample_rate, len(samples) / self.sample_rate
        if self.folder is None:
            return Piece(None, start_s, duration_s, hashlib.sha256(samples.tobytes()).hexdigest())
        file = self.folder / name
        write_wav(file, samples, self.sample_rate)
        return Piece(file, start_s, duration_s, file_digest(file))

    def _least(self) -> float:
        """Samples that a clip other than the first must have."""
        return self.size if self.remainder == "drop" else MIN_REMAINDER_S * self.sample_rate
