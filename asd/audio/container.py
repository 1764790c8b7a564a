"""Open one audio track of any container and decode it whole, or say what is wrong with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import av

from asd.audio.completeness import (
    STATES_LENGTH,
    Length,
    Truncated,
    is_padding,
    is_tag,
    mp3_stated_s,
    remedy,
)
from asd.audio.patched import PatchedFile
from asd.audio.refusal import refusal, refuses
from asd.audio.resample import Block, Unpacker, resampled, unpadded
from asd.audio.source import checked_header, open_bytes, source_name
from asd.errors import AudioError
from asd.language import tr

# Only containers of recordings. Without this list FFmpeg would also open playlists, which name
# other files and addresses: a served model would fetch whatever a request tells it to.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,w64,"
    "wav,wv"
)
_WAVE_OPTIONS = {"max_size": "32768", "max_probe_packets": "1"}
"""FFmpeg reads WAV in pieces of 64 ms, and takes 16-bit samples for DTS until megabytes of them are
not. In pieces of 32 kB reading takes a third of the time, and the first tells what it is."""
_BARE_FRAMES = ("aac", "ac3", "mp3")
"""Formats that are frames one after the other, with tags anywhere between them."""

MIN_RATE, MAX_RATE = 500, 768_000
"""Sample rates, in Hz, that recorders have; at others a small file would be days of sound."""

Watch = Callable[[float], None]
"""Is told how many seconds there are, as stated and then as decoded; raises to end the work."""


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
    remarks : list of str
        What is odd about the file but no loss, a sentence each; complete at its end.
    """

    def __init__(
        self,
        source: Path | bytes,
        container: av.container.InputContainer,
        index: int,
        truncated: Truncated = "refuse",
        watch: Watch | None = None,
    ) -> None:
        self.name = source_name(source)
        self.remarks: list[str] = []
        self._container, self._truncated, self._watch = container, truncated, watch
        self._format = container.format.name.split(",")[0]
        self._broken: AudioError | None = None
        self.n_tracks = len(container.streams.audio)
        if self.n_tracks == 0:
            raise AudioError(
                tr("{name}: has no audio track; record or export it with sound", name=self.name)
            )
        if not 0 <= index < self.n_tracks:
            raise AudioError(
                tr(
                    "{name}: stream={index} is not there, the file has {tracks} audio "
                    "track(s); give stream=0 to {last}",
                    name=self.name,
                    index=index,
                    tracks=self.n_tracks,
                    last=self.n_tracks - 1,
                )
            )
        self._stream = container.streams.audio[index]
        with refuses(
            self.name,
            lambda: tr("its sound cannot be decoded"),
            lambda: tr("export it with a usual codec"),
        ):
            self.sample_rate = self._stream.rate
            self.channels = self._stream.channels
            self.layout = self._stream.layout.name
            self.codec = self._stream.codec_context.name
        self._check_rate(self.sample_rate)
        self._stated_s = self._stated()
        whole_s = None if container.duration is None else container.duration / av.time_base
        self.duration_s = whole_s if self._stated_s is None else self._stated_s
        # Matroska states one length for all its tracks. FFmpeg leaves that of the track open
        # then, and fills it in only when it estimates both from the bit rate.
        self._ends_together = self._format == "matroska" and self._stated_s is None
        self._promised_s = self._promise(source)

    def pcm(
        self,
        sample_rate: int | None = None,
        mix: Callable[[Block], Block] | None = None,
        listen: Callable[[Block, int], None] | None = None,
    ) -> Iterator[Block]:
        """Decode the track.

        Parameters
        ----------
        sample_rate : int, optional
            Resample to this rate in Hz; the track's own where not given.
        mix : callable, optional
            Makes the channels that are wanted of a block; the track's own where not given. It is
            done before resampling, which then has fewer channels to go through.
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
        unpacker = Unpacker(self.name)
        blocks = self._sound(unpacker, mix, listen)
        yield from resampled(blocks, unpacker, sample_rate or self.sample_rate)

    def _sound(
        self,
        unpacker: Unpacker,
        mix: Callable[[Block], Block] | None,
        listen: Callable[[Block, int], None] | None,
    ) -> Iterator[Block]:
        """The samples at the file's rate, without padding, once `listen` has heard them."""
        # The edit list of MP4, and for blocks of ADPCM the fact chunk of WAV, say where the sound
        # ends; decoders add padding after it.
        padded = self._format == "mov" or self.codec.startswith("adpcm_")
        ends_s = self._stated_s if padded else None
        blocks = unpacker.blocks(self._frames())
        for block in unpadded(blocks, unpacker, ends_s, self.remark):
            if listen is not None:
                listen(block, unpacker.sample_rate)
            yield block if mix is None else mix(block)

    def remark(self, text: str) -> None:
        """Keep a sentence for the user, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def _frames(self) -> Iterator[av.AudioFrame]:
        """The decoded frames; complains at the end when some are missing."""
        length = Length()
        if self._watch:
            self._watch(self.duration_s or 0.0)
        for packet in self._packets():
            if self._ends_together:
                length.reach(packet)
            if packet.stream is not self._stream:
                continue
            for frame in self._decode(packet, length.decoded_s):
                if self._broken:
                    # More can be decoded behind it: not the end is damaged, but the middle.
                    raise self._broken
                if not length.decoded_s:  # a later change of it is refused in any case
                    self._check_rate(frame.sample_rate)
                length.add(frame)
                if self._watch:
                    self._watch(length.decoded_s)
                yield frame
        for text in length.check(self.name, self._format, self._promised_s, self._truncated):
            self.remark(text)

    def _packets(self) -> Iterator["av.Packet[Any]"]:
        packets = self._container.demux(*(() if self._ends_together else (self._stream,)))
        while True:
            try:
                packet = next(packets, None)
            except Exception as cause:
                error = refusal(cause, self.name, tr("cannot be read to its end"), remedy())
                if self._truncated == "refuse":
                    raise error from cause
                self.remark(str(error).removeprefix(f"{self.name}: ").partition(";")[0])
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: "av.Packet[Any]", at_s: float) -> list[av.AudioFrame]:
        try:
            # FFmpeg calls the last packet of a WAV file corrupt when it is the shorter one.
            if packet.is_corrupt and self._format != "wav":
                raise ValueError("incomplete data")
            return cast(list[av.AudioFrame], packet.decode())
        except Exception as cause:
            what = tr("corrupt or cut short at {at_s:.1f} s", at_s=at_s)
            error = refusal(cause, self.name, what, remedy())
            content = bytes(packet) if self._format in _BARE_FRAMES else b"sound"
            if is_tag(content):
                return []
            if not is_padding(content):
                if self._truncated == "refuse":
                    raise error from cause
                self.remark(tr("cut short at {at_s:.1f} s", at_s=at_s))
            self._broken = error
            return []

    def _check_rate(self, rate: int) -> None:
        if not MIN_RATE <= rate <= MAX_RATE:
            raise AudioError(
                tr(
                    "{name}: states a sample rate of {rate} Hz, recordings have "
                    "{min_rate} to {max_rate} Hz; export it again",
                    name=self.name,
                    rate=rate,
                    min_rate=MIN_RATE,
                    max_rate=MAX_RATE,
                )
            )

    def _stated(self) -> float | None:
        """Length in seconds of the track as the file states it."""
        if self._stream.duration is None or self._stream.time_base is None:
            return None
        stated_s = float(self._stream.duration * self._stream.time_base)
        extra = self._stream.codec_context.extradata or b""
        if self._format == "ogg" and extra[:8] == b"OpusHead":
            # RFC 7845, section 4.2: samples that are decoded and left out, at 48 kHz.
            stated_s = max(0.0, stated_s - int.from_bytes(extra[10:12], "little") / 48000)
        return stated_s

    def _promise(self, source: Path | bytes) -> float | None:
        """Length that may be relied on: stated in the file, not estimated from its size."""
        if self._ends_together:
            return self.duration_s
        if self._format == "mp3":
            with open_bytes(source) as file:
                return mp3_stated_s(file, self.sample_rate)
        return self._stated_s if self._format in STATES_LENGTH else None


@contextmanager
def open_track(
    source: Path | bytes,
    stream: int = 0,
    truncated: Truncated = "refuse",
    watch: Watch | None = None,
) -> Iterator[Track]:
    """Open one audio track for decoding.

    Parameters
    ----------
    source : Path or bytes
        A file, or the bytes of one.
    stream : int
        Which audio track, from 0.
    truncated : {"refuse", "accept"}
        What becomes of a recording that has lost its end.
    watch : callable, optional
        Is told the length in seconds, as stated and then as decoded; raises to end the work.

    Raises
    ------
    AudioError
        There is no such file or track, the file is empty, unreadable, no audio or video, or its
        header promises more than is there.
    """
    name = source_name(source)
    with open_bytes(source) as file:
        header = checked_header(file, name, truncated)
        readable = PatchedFile(file, header.patches) if header.patches else file
        with refuses(
            name,
            lambda: tr("cannot be read"),
            lambda: tr("no audio or video, or corrupt, or cut short: export it again"),
        ):
            options = {"format_whitelist": _FORMATS} | (_WAVE_OPTIONS if header.is_wave else {})
            # Tags in Shift_JIS and the like are none of our concern, but must not end the reading.
            container = av.open(readable, "r", options=options, metadata_errors="ignore")
        with container:
            track = Track(source, container, stream, truncated, watch)
            for text in header.remarks:
                track.remark(text)
            yield track
