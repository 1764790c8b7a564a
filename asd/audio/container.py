"""Open one audio track of any container and decode it whole, or say what is wrong with it."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
from numpy.typing import NDArray

from asd.audio.completeness import (
    STATES_LENGTH,
    Length,
    has_mp3_length,
    ogg_is_finished,
    riff_shortfall,
)
from asd.errors import AudioError

# Only containers of recordings. Without this list FFmpeg would also open playlists, which name
# other files and addresses: a served model would fetch whatever a request tells it to.
_FORMATS = "aac,ac3,aiff,amr,asf,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav"

# Longer filter than the default (32 taps, cutoff 0.97 but -18 dB at 1.04 of the new Nyquist
# frequency): flat to 0.94 of Nyquist, aliases below -100 dB from 1.04 on; costs little.
_RESAMPLER = {"filter_size": "128", "cutoff": "0.97", "rematrix_maxval": "1.0"}
# Codecs give a thousand samples at a time; handing over many at once saves a fifth to half.
_SAMPLES_AT_ONCE = 16384


class Track:
    """One audio track of an open container; made by `open_track`.

    Attributes
    ----------
    name : str
        What to call the source in messages.
    sample_rate : int
        In Hz.
    channels : int
        Number of channels.
    layout : str
        FFmpeg's name of the channel layout, such as ``stereo``.
    codec : str
        FFmpeg's name of the codec.
    n_tracks : int
        Number of audio tracks in the container.
    duration_s : float or None
        Length in seconds as the container states or FFmpeg estimates it.
    """

    def __init__(
        self, source: Path | bytes, container: av.container.InputContainer, index: int
    ) -> None:
        self.name = source_name(source)
        self._container = container
        self._format = container.format.name.split(",")[0]
        self.n_tracks = len(container.streams.audio)
        if self.n_tracks == 0:
            raise AudioError(f"{self.name}: has no audio track; record or export it with sound")
        if not 0 <= index < self.n_tracks:
            raise AudioError(
                f"{self.name}: stream={index} is not there, the file has {self.n_tracks} audio "
                f"track(s); give stream=0 to {self.n_tracks - 1}"
            )
        self._stream = container.streams.audio[index]
        self.sample_rate = self._stream.rate
        self.channels = self._stream.channels
        self.layout = self._stream.layout.name
        self.codec = self._stream.codec_context.name
        self._stated_s: float | None = None
        if self._stream.duration is not None and self._stream.time_base is not None:
            self._stated_s = float(self._stream.duration * self._stream.time_base)
        whole_s = None if container.duration is None else container.duration / av.time_base
        self.duration_s = whole_s if self._stated_s is None else self._stated_s
        # Matroska states one length for all its tracks. FFmpeg leaves that of the track open
        # then, and fills it in only when it estimates both from the bit rate.
        self._ends_together = self._format == "matroska" and self._stated_s is None
        self._promised_s = self._promise(source)

    def pcm(
        self,
        sample_rate: int | None = None,
        layout: str | None = None,
        listen: Callable[[NDArray[np.float32], int], None] | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Decode the track.

        Parameters
        ----------
        sample_rate : int, optional
            Resample to this rate in Hz; the track's own where not given.
        layout : str, optional
            Mix to this channel layout (FFmpeg's name, such as ``"stereo"``), scaled so that it
            cannot clip; the track's own where not given.
        listen : callable, optional
            Gets each block as it stands in the file, ``(channels, n)``, and the file's rate: what
            is clipped or missing shows there, and no more once it is resampled.

        Yields
        ------
        ndarray
            ``(channels, n)`` float32, full scale at 1; lossy codecs may exceed it a little.

        Raises
        ------
        AudioError
            A part cannot be decoded, or less comes out than the container states.
        """
        rate = sample_rate or self.sample_rate
        wanted = _Output(self, rate, layout)
        unchanged = layout is None and rate == self.sample_rate
        heard = None if listen is None or unchanged else _Output(self, self.sample_rate)
        for frame in self._frames():
            if listen is not None and heard is not None:
                for block in heard.blocks(frame):
                    listen(block, self.sample_rate)
            for block in wanted.blocks(frame):
                if listen is not None and unchanged:
                    listen(block, rate)
                yield block

    def ends_after(self, sample_rate: int) -> int | None:
        """Samples after which the sound ends and padding begins; None where it is not stated."""
        # The edit list of MP4 says where the sound ends; decoders add padding after it.
        trim = self._format == "mov" and self._stated_s is not None
        return round((self._stated_s or 0) * sample_rate) if trim else None

    def convert(
        self, resampler: av.AudioResampler, frame: av.AudioFrame | None
    ) -> list[av.AudioFrame]:
        """Resample a frame; None for what is left.

        Raises
        ------
        AudioError
            Rate or channels change midway.
        """
        try:
            return resampler.resample(frame)
        except ValueError as error:
            raise AudioError(
                f"{self.name}: sample rate or channels change midway ({error}); export it again"
            ) from error

    def _frames(self) -> Iterator[av.AudioFrame | None]:
        """The decoded frames, then None; complains at the end when some are missing."""
        length = Length()
        for packet in self._packets():
            if self._ends_together:
                length.reach(packet)
            if packet.stream is not self._stream:
                continue
            for frame in self._decode(packet, length.decoded_s):
                length.add(frame)
                yield frame
        length.check(self.name, self._format, self._promised_s)
        yield None

    def _packets(self) -> Iterator["av.Packet[Any]"]:
        streams = () if self._ends_together else (self._stream,)
        try:
            yield from self._container.demux(*streams)
        except av.FFmpegError as error:
            raise AudioError(
                f"{self.name}: cannot be read to its end ({error.strerror})"
            ) from error

    def _decode(self, packet: "av.Packet[Any]", at_s: float) -> list[av.AudioFrame]:
        # FFmpeg calls the last packet of a WAV file corrupt when it is merely the shorter one.
        if packet.is_corrupt and self._format != "wav":
            raise self._broken(at_s, "incomplete data")
        try:
            return cast(list[av.AudioFrame], packet.decode())
        except av.FFmpegError as error:
            raise self._broken(at_s, error.strerror) from error

    def _broken(self, at_s: float, reason: str | None) -> AudioError:
        return AudioError(
            f"{self.name}: corrupt or cut short at {at_s:.1f} s ({reason}); export or copy it again"
        )

    def _promise(self, source: Path | bytes) -> float | None:
        """Length that may be relied on: stated in the file, not estimated from its size."""
        if self._ends_together:
            return self.duration_s
        if self._format not in STATES_LENGTH:
            return None
        if self._format == "mp3":
            with open_bytes(source) as file:
                return self._stated_s if has_mp3_length(file) else None
        return self._stated_s


class _Output:
    """Turns the frames of a track into blocks of one rate and layout."""

    def __init__(self, track: Track, sample_rate: int, layout: str | None = None) -> None:
        self._track = track
        # Packed samples: PyAV 18.1 cannot exchange planar ones of 8 channels or more.
        self._resampler = av.AudioResampler(
            "flt", layout, sample_rate, _SAMPLES_AT_ONCE, options=_RESAMPLER
        )
        self._left = track.ends_after(sample_rate)

    def blocks(self, frame: av.AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        """What comes out for a frame, ``(channels, n)`` each; the rest for None."""
        for out in self._track.convert(self._resampler, frame):
            packed = np.asarray(out.to_ndarray(), np.float32)
            block = packed.reshape(out.samples, -1).T[:, : self._left]
            if self._left is not None:
                self._left -= block.shape[1]
            if block.size:
                yield block


@contextmanager
def open_track(source: Path | bytes, stream: int = 0) -> Iterator[Track]:
    """Open one audio track for decoding.

    Parameters
    ----------
    source : Path or bytes
        A file, or the bytes of one.
    stream : int
        Which audio track, from 0.

    Raises
    ------
    AudioError
        There is no such file or track, the file is empty, unreadable, no audio or video, or its
        header promises more than is there.
    """
    name = source_name(source)
    with open_bytes(source) as file:
        _check_header(file, name)
        try:
            # Tags in Shift_JIS and the like are none of our concern, but must not end the reading.
            container = av.open(
                file, "r", options={"format_whitelist": _FORMATS}, metadata_errors="ignore"
            )
        except av.FFmpegError as error:
            raise AudioError(
                f"{name}: cannot be read ({error.strerror}): no audio or video, or corrupt, or cut "
                "short; export or copy it again"
            ) from error
        with container:
            yield Track(source, container, stream)


def open_bytes(source: Path | bytes) -> BinaryIO:
    """Open a source for reading.

    Raises
    ------
    AudioError
        The file is missing or may not be read.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise AudioError(
            f"{source}: cannot be opened ({error.strerror}); check the path"
        ) from error


def source_name(source: Path | bytes) -> str:
    """What to call a source in messages."""
    return f"audio of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def _check_header(file: BinaryIO, name: str) -> None:
    if file.seek(0, io.SEEK_END) == 0:
        raise AudioError(f"{name}: is empty (0 bytes); record or copy it again")
    shortfall = riff_shortfall(file)
    if shortfall is not None:
        raise AudioError(
            f"{name}: cut short, its header promises {shortfall[0]} bytes but "
            f"{shortfall[1]} are there; copy or record it again"
        )
    if not ogg_is_finished(file):
        raise AudioError(f"{name}: cut short, its end is missing; copy or export it again")
    file.seek(0)
