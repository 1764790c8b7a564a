"""Write audio files, whole or not at all."""

import io
import logging
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import av
import numpy as np
from numpy.typing import NDArray

from asd.audio.completeness import Truncated
from asd.audio.container import Track, open_track
from asd.audio.peak import peak
from asd.audio.refusal import refuses
from asd.audio.resample import Block
from asd.audio.signal_check import SignalCheck
from asd.errors import AudioError
from asd.files import atomic_path, is_storage_error, unwritable
from asd.language import tr

logger = logging.getLogger(__name__)

AudioFormat = Literal["mp3", "wav", "flac"]

_CODECS = {"mp3": "libmp3lame", "wav": "pcm_s16le", "flac": "flac"}
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_MP3_BIT_RATE = 48_000
_MP3_QUICK: dict[str, object] = {"compression_level": "7"}
"""LAME searches half as long as by default, for as many bytes and hardly another sound."""


def write_wav(path: Path, samples: NDArray[np.floating[Any]], sample_rate: int) -> None:
    """Write a mono signal as 16-bit PCM.

    Parameters
    ----------
    path : Path
        File to write; its folder is made where missing.
    samples : ndarray
        ``(n_samples,)`` in [-1, 1]; ±1 is full scale, rounded to the nearest of 65,536 steps.
    sample_rate : int
        In Hz.

    Raises
    ------
    AudioError
        A sample lies outside [-1, 1] or is no number.
    OutputError
        The place cannot be written.
    """
    highest = peak(samples)
    if not highest <= 1.0:
        raise AudioError(
            tr(
                "{path}: samples reach {peak:.3f}, beyond [-1, 1]; lower the gain",
                path=path,
                peak=highest,
            )
        )
    # As soundfile reads: a step is 1/32768. The one value that does not fit, +1, is a step less.
    steps = samples * np.float32(32768)
    np.minimum(np.rint(steps, out=steps), np.float32(32767), out=steps)
    # libsndfile would say "System error" of a full disk; the bytes are the same.
    # A `wave` that is stopped while it opens a file by name complains when it is thrown away.
    with atomic_path(path) as partial, partial.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(steps.astype("<i2").data)


def write_track(
    path: Path, samples: NDArray[np.floating[Any]], sample_rate: int, channel: int, stream: int
) -> None:
    """Write a mono signal as one channel of one track; what comes before is silent.

    Parameters
    ----------
    path : Path
        Matroska file to write; its samples are kept as 32-bit floats.
    samples : ndarray
        ``(n_samples,)``, full scale ±1.
    sample_rate : int
        In Hz.
    channel, stream : int
        Where to put it, from 0.
    """
    packed = np.zeros((len(samples), channel + 1), np.float32)
    n_channels = packed.shape[1]
    layout = {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")
    with atomic_path(path) as partial, av.open(str(partial.resolve()), "w", "matroska") as output:
        tracks = [
            output.add_stream("pcm_f32le", rate=sample_rate, layout=layout)
            for _ in range(stream + 1)
        ]
        for number, track in enumerate(tracks):
            packed[:, channel] = samples if number == stream else 0
            frame = av.AudioFrame.from_ndarray(packed.reshape(1, -1), format="flt", layout=layout)
            frame.sample_rate, frame.pts = sample_rate, 0
            output.mux(track.encode(frame))
            output.mux(track.encode(None))


def mp3_bytes(samples: NDArray[np.floating[Any]], sample_rate: int) -> bytes:
    """A mono signal as MP3 of 48 kbit/s, which every browser plays.

    Parameters
    ----------
    samples : ndarray
        ``(n_samples,)``, full scale ±1; what is beyond is cut off.
    sample_rate : int
        In Hz; other rates than those of MP3 go to the next higher it knows, at most 48 kHz.
    """
    rate, content = _mp3_rate(sample_rate), io.BytesIO()
    with av.open(content, "w", format="mp3") as output:
        encoder = output.add_stream("libmp3lame", rate=rate, layout="mono")
        encoder.bit_rate, encoder.options = _MP3_BIT_RATE, _MP3_QUICK
        resampler = av.AudioResampler("fltp", "mono", rate)
        packed = np.clip(samples, -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, 0
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(encoder.encode(part))
        output.mux(encoder.encode(None))
    return content.getvalue()


def _mp3_rate(sample_rate: int) -> int:
    return min((known for known in _MP3_RATES if known >= sample_rate), default=_MP3_RATES[-1])


def transcode(
    source: Path,
    target: Path,
    fmt: AudioFormat,
    stream: int = 0,
    truncated: Truncated = "refuse",
) -> float:
    """Write an audio track as a file of its own, in bounded memory.

    Channels and sample rate stay. MP3 knows nine rates and two channels: other rates go to the
    next higher it knows (at most 48 kHz), more channels are mixed to stereo. MP3 is written with
    the highest variable bit rate (LAME's V0), WAV and FLAC with 16 bits.

    Parameters
    ----------
    source : Path
        Any audio or video file.
    target : Path
        File to write.
    fmt : {"mp3", "wav", "flac"}
        Format to write.
    stream : int
        Which audio track, from 0.
    truncated : {"refuse", "accept"}
        What becomes of a recording that has lost its end.

    Returns
    -------
    float
        Length of the sound in seconds.

    Raises
    ------
    AudioError
        The recording cannot be read, is corrupt, cut short or silent, or has NaN samples.
    OutputError
        The place cannot be written.
    """
    with open_track(source, stream, truncated) as track, atomic_path(target) as partial:
        # An absolute path: FFmpeg would take a word and a colon at the start for a protocol.
        file = str(partial.resolve())
        with refuses(
            str(source),
            lambda: tr("cannot be written as {fmt} to {target}", fmt=fmt, target=target),
            lambda: tr("take another format ({n} channels)", n=track.channels),
        ):
            try:
                with av.open(file, "w", format=fmt) as output:
                    seconds = _copy(track, output, fmt)
            except av.FFmpegError as error:
                if is_storage_error(error):
                    raise unwritable(target, error) from error
                raise
        for text in track.remarks:
            logger.warning("%s: %s", source, text)
        return seconds


def _copy(track: Track, output: av.container.OutputContainer, fmt: AudioFormat) -> float:
    rate, layout = track.sample_rate, track.layout
    if fmt == "mp3":
        rate = _mp3_rate(rate)
        layout = "mono" if track.channels == 1 else "stereo"
    encoder = cast(av.AudioStream, output.add_stream(_CODECS[fmt], rate=rate, layout=layout))
    if fmt == "mp3":
        encoder.codec_context.qscale = True
        encoder.codec_context.global_quality = 0
    check = SignalCheck(track.name)
    n_samples = 0
    mix = None if layout == track.layout else _mixer(track, layout)
    for block in track.pcm(rate, mix):
        check.feed(block)
        frame = _frame(block, layout, rate)
        frame.pts = n_samples
        n_samples += block.shape[1]
        output.mux(encoder.encode(frame))
    output.mux(encoder.encode(None))
    check.finish()
    return n_samples / rate


def _mixer(track: Track, layout: str) -> Callable[[Block], Block]:
    """Mixes channels to a layout as FFmpeg does, scaled so that nothing can clip."""
    converter = av.AudioResampler("flt", layout, options={"rematrix_maxval": "1.0"})

    def mix(block: Block) -> Block:
        frame = _frame(block, track.layout, track.sample_rate)
        (mixed,) = converter.resample(frame)
        return np.asarray(mixed.to_ndarray().reshape(mixed.samples, -1).T, np.float32)

    return mix


def _frame(block: Block, layout: str, sample_rate: int) -> av.AudioFrame:
    packed = np.ascontiguousarray(block.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = sample_rate
    return frame
