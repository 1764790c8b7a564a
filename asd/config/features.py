"""Configuration of the log-mel front end."""

from typing import Literal

from pydantic import Field, model_validator

from asd.config.base import Config


class LogMelConfig(Config):
    """How a waveform becomes a log-mel spectrogram; what sweeps try stands beside the fields."""

    sample_rate: int = Field(16000, ge=1000, le=192000)
    """Sampling rate in Hz at which clips are analysed."""
    n_fft: int = Field(
        1024, ge=32, le=65536, json_schema_extra={"search": {"choices": [512, 1024, 2048, 4096]}}
    )
    """Length of the analysis window in samples."""
    hop_length: int = Field(512, ge=1, json_schema_extra={"search": {"choices": [256, 512]}})
    """Samples from one frame to the next."""
    n_mels: int = Field(
        128, ge=2, le=1024, json_schema_extra={"search": {"choices": [32, 64, 128]}}
    )
    """Number of mel bands."""
    f_min: float = Field(0.0, ge=0, json_schema_extra={"search": {"choices": [0.0, 100.0, 300.0]}})
    """Lower edge of the lowest band in Hz."""
    f_max: float | None = Field(
        None, gt=0, json_schema_extra={"search": {"choices": [None, 2000.0, 4000.0]}}
    )
    """Upper edge of the highest band in Hz; half the sample rate where not given."""
    power: int = Field(2, ge=1, le=2)
    """1 for magnitude, 2 for energy."""
    scaling: Literal["db", "clip_max"] = "db"
    """`db`: decibels re 1, floor -100 dB (absolute). `clip_max`: decibels below the clip's own
    maximum, clipped to [-80, 0] and scaled to [0, 1], as the original scripts did."""
    level: Literal["none", "rms"] = Field(
        "none", json_schema_extra={"search": {"choices": ["none", "rms"]}}
    )
    """`rms` brings each clip to the same loudness before analysis, so that recording gain is
    ignored; `none` keeps it."""

    @model_validator(mode="after")
    def _consistent(self) -> "LogMelConfig":
        nyquist = self.sample_rate / 2
        top = self.f_max or nyquist
        if top > nyquist:
            raise ValueError(f"f_max={top:g} must be at most half the sample rate ({nyquist:g} Hz)")
        if self.f_min >= top:
            raise ValueError(f"f_min={self.f_min:g} must be below f_max ({top:g} Hz)")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length={self.hop_length} must be at most n_fft={self.n_fft}")
        return self
