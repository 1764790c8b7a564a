"""Find recordings and read them as mono signals, whatever container they come in."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from asd.audio.container import Track, open_track, source_name
from asd.errors import AudioError, DataError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".3gp", ".3g2", ".wmv", ".asf"}
) | {".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv"}
"""Suffixes of videos, in lower case."""

AUDIO_SUFFIXES = (
    VIDEO_SUFFIXES
    | {".wav", ".wave", ".w64", ".flac", ".mp3", ".m4a", ".m4b", ".mka", ".aac", ".ogg", ".oga"}
    | {".opus", ".wma", ".aif", ".aiff", ".aifc", ".caf", ".amr", ".ac3"}
)
"""Suffixes, in lower case, by which a folder is searched for recordings."""

SILENCE_DB = -90.0
"""A recording that never exceeds this level, in dB of full scale, is silent: about one step of
16 bits."""


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


class SignalCheck:
    """Refuses samples that are no numbers at once, and silence at the end.

    Parameters
    ----------
    name : str
        The recording, for the message.

    Examples
    --------
    >>> check = SignalCheck("pump.wav")
    >>> check.feed(np.zeros(16000))
    >>> check.finish()
    Traceback (most recent call last):
    asd.errors.AudioError: pump.wav: is silent (never above -90 dBFS); check the microphone, ...
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._peak = 0.0

    def feed(self, block: NDArray[np.floating[Any]]) -> None:
        """Look at the next samples, of any shape.

        Raises
        ------
        AudioError
            A sample is NaN or infinite.
        """
        peak = float(np.abs(block).max(initial=0.0))
        if not np.isfinite(peak):
            raise AudioError(f"{self._name}: has NaN or infinite samples; export it again")
        self._peak = max(self._peak, peak)

    def finish(self) -> None:
        """Judge the whole.

        Raises
        ------
        AudioError
            No sample stood out of silence.
        """
        if self._peak <= 10 ** (SILENCE_DB / 20):
            raise AudioError(
                f"{self._name}: is silent (never above {SILENCE_DB:.0f} dBFS); check the "
                "microphone, the audio track (stream) and the channel, or remove it"
            )


def check_signal(samples: NDArray[np.floating[Any]], path: Path | str) -> None:
    """Refuse a recording that is silent or not made of numbers.

    Raises
    ------
    AudioError
        A sample is NaN or infinite, or none exceeds `SILENCE_DB`.
    """
    check = SignalCheck(str(path))
    check.feed(samples)
    check.finish()


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

    Yields
    ------
    ndarray
        ``(n,)`` float32, full scale at 1; lossy codecs may exceed it a little.

    Raises
    ------
    AudioError
        The recording cannot be read, is corrupt or cut short, holds NaN or infinite samples, or
        turned out silent at its end.
    """
    with open_track(source, stream) as track:
        check = SignalCheck(track.name)
        length = max(1, round(block_s * (sample_rate or track.sample_rate)))
        waiting: list[NDArray[np.float32]] = []
        n_waiting = 0
        for piece in _mono(track, sample_rate, channel):
            check.feed(piece)
            waiting.append(piece)
            n_waiting += piece.size
            if n_waiting < length:
                continue
            joined = np.concatenate(waiting)
            whole = n_waiting - n_waiting % length
            yield from joined[:whole].reshape(-1, length)
            waiting = [joined[whole:].copy()]
            n_waiting -= whole
        if n_waiting:
            yield np.concatenate(waiting)
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
        samples = np.concatenate(list(_mono(track, sample_rate, channel)))
        check_signal(samples, track.name)
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
        samples = np.concatenate(list(_mono(track, sample_rate, None)))
    SignalCheck(source_name(path)).feed(samples)
    return samples


def find_audio(source: Path) -> list[Path]:
    """List the recordings of a source.

    Parameters
    ----------
    source : Path
        A file, taken whatever its suffix, or a folder, searched with all its sub-folders.
        Names that begin with a dot are passed over, half-written files of ours among them.

    Returns
    -------
    list of Path
        Sorted.

    Raises
    ------
    DataError
        There is no such file or folder, or no recording in it.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; check source")
    found = [
        path
        for path in source.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and path.is_file()
    ]
    if not found:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(f"{source}: no recordings in this folder; put files there of {suffixes}")
    return sorted(found)


def _mono(
    track: Track, sample_rate: int | None, channel: int | None
) -> Iterator[NDArray[np.float32]]:
    if channel is not None and not 0 <= channel < track.channels:
        raise AudioError(
            f"{track.name}: channel={channel} is not there, the track has {track.channels}; "
            f"give channel=0 to {track.channels - 1} or leave it out"
        )
    for block in track.pcm(sample_rate):
        yield block.mean(axis=0) if channel is None else block[channel].copy()
