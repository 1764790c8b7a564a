"""Configuration of front ends: what all have, and that of log-mel, the usual one."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from asd.config.base import Config
from asd.config.search import Choose
from asd.language import tr

Level = Literal["power", "none", "rms", "decibels", "mean"]

_WINDOW_S = 0.064
_RATE = 16000


def _window(sample_rate: int) -> int:
    """The power of two at or below 64 ms: 1024 at 16 kHz."""
    return 1 << (round(sample_rate * _WINDOW_S).bit_length() - 1)


def _n_fft(given: dict[str, Any]) -> int:
    return _window(given.get("sample_rate", _RATE))


def _hop_length(given: dict[str, Any]) -> int:
    return _n_fft(given) // 2


def _n_mels(given: dict[str, Any]) -> int:
    # More bands than this have no bin of the spectrum to themselves.
    return min(128, _n_fft(given) // 4)


class FrontEndConfig(Config):
    """What every front end is told."""

    sample_rate: int = Field(_RATE, ge=1000, le=192000)
    """Sampling rate in Hz at which clips are analysed; that of the clips where not given."""


class FramedConfig(FrontEndConfig):
    """What front ends that look at frames of sound are told.

    The defaults follow the sample rate, so that a frame is as long at any rate. Sweeps scale their
    choices alike.
    """

    n_fft: Annotated[int, Choose(512, 1024, 2048, 4096)] = Field(
        default_factory=_n_fft, ge=32, le=65536
    )
    """Length of the analysis window in samples; 1024 at 16 kHz, and 32 to 64 ms at any rate."""
    hop_length: Annotated[int, Choose(256, 512)] = Field(default_factory=_hop_length, ge=1)
    """Samples from one frame to the next; 512 at 16 kHz."""

    @model_validator(mode="after")
    def _no_gaps(self) -> "FramedConfig":
        if self.hop_length > self.n_fft:
            raise ValueError(
                tr(
                    "hop_length={hop_length} must be at most n_fft={n_fft}",
                    hop_length=self.hop_length,
                    n_fft=self.n_fft,
                )
            )
        return self


class LogMelConfig(FramedConfig):
    """How a waveform becomes a log-mel spectrogram; what sweeps try stands beside the fields.

    The default of `n_mels` follows the sample rate, so that a band is as well resolved at any.
    """

    n_mels: Annotated[int, Choose(32, 64, 128)] = Field(default_factory=_n_mels, ge=2, le=1024)
    """Number of mel bands; 128 at 8 kHz and above."""
    f_min: Annotated[float, Choose(0.0, 100.0, 300.0)] = Field(0.0, ge=0)
    """Lower edge of the lowest band in Hz."""
    f_max: Annotated[float | None, Choose(None, 2000.0, 4000.0)] = Field(None, gt=0)
    """Upper edge of the highest band in Hz; half the sample rate where not given."""
    power: int = Field(2, ge=1, le=2)
    """1 for magnitude, 2 for energy."""
    scaling: Literal["db", "clip_max"] = "db"
    """`db`: decibels re 1, floor -100 dB (absolute). `clip_max`: decibels below the clip's own
    maximum, clipped to [-80, 0] and scaled to [0, 1], as the original scripts did."""
    level: Annotated[
        Literal["power", "none", "rms", "decibels", "mean"], Choose("power", "none")
    ] = "power"
    """`power` subtracts the clip's level, the median over frames of their power in dB, so that
    recording gain is ignored; `none` keeps it, for recorders whose gain never changes. `rms`
    brings the samples to one loudness instead. `decibels` (median over frames of the mean of the
    bands) and `mean` (mean of all values) are those of earlier releases. Not used with
    scaling=clip_max, which is relative to the clip already."""

    @model_validator(mode="after")
    def _consistent(self) -> "LogMelConfig":
        nyquist = self.sample_rate / 2
        top = self.f_max or nyquist
        if top > nyquist:
            raise ValueError(
                tr(
                    "f_max={top:g} must be at most half the sample rate ({nyquist:g} Hz)",
                    top=top,
                    nyquist=nyquist,
                )
            )
        if self.f_min >= top:
            raise ValueError(
                tr("f_min={f_min:g} must be below f_max ({top:g} Hz)", f_min=self.f_min, top=top)
            )
        return self
