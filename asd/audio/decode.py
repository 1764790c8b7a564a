"""Find recordings and read them as mono signals, whatever container they come in."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from asd.audio.completeness import Truncated
from asd.audio.condition import Meter
from asd.audio.container import Track, Watch, open_track
from asd.audio.folders import walk
from asd.audio.peak import peak
from asd.audio.resample import Block
from asd.audio.windows import blocks_of
from asd.errors import AudioError, DataError
from asd.language import tr

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".avi", ".webm", ".3gp", ".3g2", ".wmv", ".asf"}
) | {".mpg", ".mpeg", ".m2p", ".vob", ".ts", ".mts", ".m2t", ".m2ts", ".flv", ".f4v", ".ogv"}
"""Suffixes of videos, in lower case."""

AUDIO_SUFFIXES = (
    VIDEO_SUFFIXES
    | {".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".mp3", ".mp2", ".mpa", ".m2a", ".mpga"}
    | {".m4a", ".m4b", ".m4r", ".f4a", ".mka", ".weba", ".aac", ".adts", ".ogg", ".oga", ".ogx"}
    | {".opus", ".spx", ".wma", ".aif", ".aiff", ".aifc", ".afc", ".caf", ".amr", ".ac3", ".au"}
    | {".snd", ".voc", ".eac3", ".ec3", ".ape", ".tta", ".wv"}
)
"""Suffixes, in lower case, by which a folder is searched for recordings."""

SILENCE_DB = -90.0
"""A recording that never exceeds this level, in dB of full scale, is silent: about one step of
16 bits."""
_SILENCE = 10 ** (SILENCE_DB / 20)
_LOUDEST = 1e12
"""Far beyond whole numbers of 32 bits, which some programs write as floats; the power of more
does not fit into 32 bits."""

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
        self._cancelled = False

    def mixed(self, mean: NDArray[np.float32], channels: NDArray[np.float32]) -> None:
        """Note where the mean of channels is silent and they are not."""
        self._cancelled |= peak(mean) <= _SILENCE < peak(channels)

    def feed(self, block: NDArray[np.floating[Any]]) -> None:
        """Look at the next samples that are used, of any shape.

        Raises
        ------
        AudioError
            A sample is NaN, infinite, or beyond anything that is sound.
        """
        highest = peak(block)
        if not np.isfinite(highest):
            raise AudioError(
                tr("{name}: has NaN or infinite samples; export it again", name=self._name)
            )
        if highest > _LOUDEST:
            raise AudioError(
                tr(
                    "{name}: samples reach {peak:.1e}, 1 is full scale; export it again",
                    name=self._name,
                    peak=highest,
                )
            )
        self._peak = max(self._peak, highest)

    def finish(self) -> None:
        """Judge the whole.

        Raises
        ------
        AudioError
            No sample stood out of silence.
        """
        if self._peak <= _SILENCE and self._cancelled:
            raise AudioError(
                tr(
                    "{name}: its channels cancel, their mean is silent; take one of them for "
                    "the data set with channel=left",
                    name=self._name,
                )
            )
        if self._peak <= _SILENCE:
            raise AudioError(
                tr(
                    "{name}: is silent (never above {level:.0f} dBFS); check the microphone, "
                    "the audio track (stream) and the channel, or remove it",
                    name=self._name,
                    level=SILENCE_DB,
                )
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


def find_audio(source: Path) -> list[Path]:
    """List the recordings of a source.

    Parameters
    ----------
    source : Path
        A file, taken whatever its suffix, or a folder, searched with all its sub-folders and
        those that it has links to. Names that begin with a dot are passed over, half-written files
        of ours among them.

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
        raise DataError(tr("{source}: no such file or folder; check source", source=source))
    paths = [path for path in walk(source).files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not paths:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(
            tr(
                "{source}: no recordings in this folder; put files there of {suffixes}",
                source=source,
                suffixes=suffixes,
            )
        )
    return paths


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
