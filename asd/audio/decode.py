"""Read recordings as mono signals, whatever container they come in."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asd.audio.completeness import Truncated
from asd.audio.condition import Meter
from asd.audio.container import Track, Watch, open_track
from asd.audio.resample import Block
from asd.audio.signal_check import SignalCheck
from asd.audio.windows import blocks_of
from asd.errors import AudioError
from asd.language import tr

logger = logging.getLogger(__name__)

MIN_S = 0.1
"""Least length of a recording, and of a clip, in seconds: a frame of a spectrogram is about that
long."""


@dataclass(frozen=True)
class AudioInfo:
    """What a container tells about one of its audio tracks."""

    duration_s: float | None
    """Length in seconds, stated or estimated; None where unknown."""
    sample_rate: int
    """In Hz."""
    channels: int
    """Number of channels."""
    codec: str
    """FFmpeg's name of the codec, such as ``aac``."""
    n_streams: int
    """Number of audio tracks in the container."""


def probe(source: Path | bytes, stream: int = 0) -> AudioInfo:
    """Read what a container tells about an audio track, without decoding it.

    Parameters
    ----------
    source : Path or bytes
        A file, or the bytes of one.
    stream : int
        Which audio track, from 0.

    Raises
    ------
    AudioError
        There is no such file or track, or the file cannot be read as audio or video.
    """
    with open_track(source, stream) as track:
        return AudioInfo(
            track.duration_s, track.sample_rate, track.channels, track.codec, track.n_tracks
        )


def stream_blocks(
    source: Path | bytes,
    sample_rate: int | None = None,
    channel: int | None = None,
    stream: int = 0,
    block_s: float = 10.0,
    meter: Meter | None = None,
    truncated: Truncated = "refuse",
    watch: Watch | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Decode a recording block by block; memory does not grow with its length.

    Parameters
    ----------
    source : Path or bytes
        A file, or the bytes of one.
    sample_rate : int, optional
        Resample to this rate in Hz; the file's own where not given.
    channel : int, optional
        Take this channel, from 0; the mean over all where not given.
    stream : int
        Which audio track, from 0.
    block_s : float
        Length of the blocks in seconds; the last one may be shorter.
    meter : Meter, optional
        Listens to the recording meanwhile, and is told what is odd about the file.
    truncated : {"refuse", "accept"}
        What becomes of a recording that has lost its end.
    watch : callable, optional
        Is told the length in seconds, as stated and then as decoded; raises to end the work.

    Yields
    ------
    ndarray
        ``(n,)`` float32, full scale at 1; lossy codecs may exceed it a little.

    Raises
    ------
    AudioError
        The recording cannot be read, is corrupt or cut short, lacks the channel, holds NaN or
        infinite samples, or turned out silent or shorter than 0.1 s at its end.
    """
    with open_track(source, stream, truncated, watch) as track:
        check = SignalCheck(track.name)
        rate, total = sample_rate or track.sample_rate, 0
        pieces = _mono(track, check, sample_rate, channel, meter)
        for block in blocks_of(pieces, max(1, round(block_s * rate))):
            check.feed(block)
            total += len(block)
            yield block
        _check_length(track.name, total / rate)
        check.finish()


def read(
    source: Path | bytes,
    sample_rate: int | None = None,
    channel: int | None = None,
    stream: int = 0,
) -> tuple[NDArray[np.float32], int]:
    """Decode a whole recording; the parameters and errors are those of `stream_blocks`.

    Returns
    -------
    ndarray
        ``(n_samples,)`` float32.
    int
        The sample rate in Hz.
    """
    with open_track(source, stream) as track:
        check = SignalCheck(track.name)
        samples = np.concatenate(list(_mono(track, check, sample_rate, channel)))
        check.feed(samples)
        check.finish()
        return samples, sample_rate or track.sample_rate


def read_clip(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a clip of a data set; silence is allowed, as a recording may pause.

    Parameters
    ----------
    path : Path
        Audio file; read the fastest way when it is mono and at `sample_rate`.
    sample_rate : int
        Rate of the result in Hz.

    Returns
    -------
    ndarray
        ``(n_samples,)`` float32.

    Raises
    ------
    AudioError
        The file cannot be read or holds NaN or infinite samples.
    """
    # Other containers, and files that are missing or broken, are left to the way below.
    with suppress(soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
        if (file.samplerate, file.channels, file.subtype) == (sample_rate, 1, "PCM_16"):
            samples: NDArray[np.float32] = file.read(dtype="float32")
            return samples
    with open_track(path) as track:
        check = SignalCheck(track.name)
        samples = np.concatenate(list(_mono(track, check, sample_rate, None)))
        check.feed(samples)
        return samples


def _check_length(name: str, seconds: float) -> None:
    if seconds < MIN_S:
        raise AudioError(
            tr(
                "{name}: holds {seconds:.3f} s of sound, less than the {least:g} s that "
                "can be analysed; take the file out",
                name=name,
                seconds=seconds,
                least=MIN_S,
            )
        )


def _mono(
    track: Track,
    check: SignalCheck,
    sample_rate: int | None,
    channel: int | None,
    meter: Meter | None = None,
) -> Iterator[NDArray[np.float32]]:
    if channel is not None and not 0 <= channel < track.channels:
        least = "channel=0"
        if track.channels > 1:
            least = tr("channel=0 to {last}", last=track.channels - 1)
        raise AudioError(
            tr(
                "{name}: channel={channel} is not there, the track has {channels}; "
                "record it as the others were, or give preprocess {least} or mix",
                name=track.name,
                channel=channel,
                channels=track.channels,
                least=least,
            )
        )

    # Infinite samples, of which there is no mean, are refused once they come out.
    @np.errstate(invalid="ignore", over="ignore")
    def mono(block: Block) -> Block:
        if channel is not None or len(block) == 1:
            place = channel or 0
            return block[place : place + 1]
        mean: Block = block.mean(axis=0, keepdims=True)
        check.mixed(mean, block)
        return mean

    for block in track.pcm(sample_rate, mono, meter.feed if meter else None):
        yield block[0]
    for text in track.remarks:
        if meter:
            meter.remark(text)
        else:
            logger.warning("%s: %s", track.name, text)
