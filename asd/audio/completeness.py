"""Whether a recording is all there.

FFmpeg, which does the decoding through PyAV, is made to rescue what it can: a file that was cut
short, or that lost a part, decodes without a word to something shorter. A detector would then be
trained on less than what its user believes. So what the file states is compared with what is in
it, before decoding and after.
"""

import io
import logging
import struct
from typing import Any, BinaryIO

import av

from asd.errors import AudioError

logger = logging.getLogger(__name__)

STATES_LENGTH = frozenset({"aiff", "asf", "avi", "flac", "mov", "mp3", "ogg"})
"""Formats whose length stands in the file; FFmpeg estimates that of the others from its size."""

# Writers that cannot go back to the header, such as a pipe, leave one of these in the size field.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


class Length:
    """How much of a track has been decoded, and up to what time.

    Attributes
    ----------
    decoded_s : float
        Seconds of sound so far.
    """

    def __init__(self) -> None:
        self.decoded_s = 0.0
        self._frame_s = 0.0
        self._start_s = 0.0
        self._end_s = 0.0
        self._file_end_s = 0.0

    def reach(self, packet: "av.Packet[Any]") -> None:
        """Note up to what time a container goes that states one length for all its tracks."""
        if packet.pts is not None and packet.time_base is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._file_end_s = max(self._file_end_s, float(end))

    def add(self, frame: av.AudioFrame) -> None:
        """Count a decoded frame."""
        seconds = frame.samples / frame.sample_rate
        time_s = self._start_s + self.decoded_s if frame.time is None else frame.time
        if self.decoded_s == 0:
            self._start_s = time_s
        self._frame_s = max(self._frame_s, seconds)
        self.decoded_s += seconds
        self._end_s = time_s - self._start_s + seconds

    def check(self, name: str, container: str, promised_s: float | None) -> None:
        """Complain when the end or a part in between is missing.

        Parameters
        ----------
        name : str
            What to call the recording.
        container : str
            FFmpeg's first name of the container format.
        promised_s : float or None
            The length in seconds that the container states.

        Raises
        ------
        AudioError
            Less was decoded than there should be, or nothing.
        """
        if self.decoded_s == 0:
            raise AudioError(f"{name}: the audio track holds no sound (0 samples); remove it")
        # Encoder delay and padding, each up to a codec frame or two, are counted in or not.
        tolerance_s = 1e-3 if container in ("aiff", "flac") else max(0.1, 3 * self._frame_s)
        held_s = max(self.decoded_s, self._end_s, self._file_end_s)
        if promised_s is not None and promised_s - held_s > tolerance_s:
            raise AudioError(
                f"{name}: cut short or corrupt, states {promised_s:.2f} s but holds "
                f"{held_s:.2f} s; export or copy it again"
            )
        # The clocks of sound and picture may drift apart, by 200 parts in a million at most.
        pause_s = self._end_s - self.decoded_s - 2e-4 * self._end_s
        if pause_s <= tolerance_s:
            return
        if container != "mov":
            raise AudioError(
                f"{name}: corrupt, {pause_s:.2f} s are missing in between; export or copy it again"
            )
        # MP4 lists its packets in an index, so none is lost unseen: the recorder paused.
        logger.warning("%s: pauses of %.2f s are left out", name, pause_s)


def riff_shortfall(file: BinaryIO) -> tuple[int, int] | None:
    """Compare the length that the header of a WAV or AVI file promises with what is there.

    Parameters
    ----------
    file : binary file
        Seekable; its position afterwards is anywhere.

    Returns
    -------
    tuple of int or None
        Promised and present bytes (of sound in a WAV, of all in an AVI) where some are missing;
        None where none are, or where the file is of another kind.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    kind, size, form = struct.unpack("<4sI4s", head) if len(head) == 12 else (b"", 0, b"")
    if kind == b"RIFF" and form == b"AVI ":
        return _shortfall(size, end - 8)
    if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
        return None
    long_size = None
    while len(chunk := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", chunk)
        start = file.tell()
        if kind == b"ds64":
            # RF64 (EBU Tech 3306): sizes beyond 32 bits stand here, that of the data second.
            long_size = int.from_bytes(file.read(16)[8:], "little")
        elif kind == b"data":
            promised = long_size if size == 0xFFFFFFFF and long_size is not None else size
            return _shortfall(promised, end - start)
        file.seek(start + size + size % 2)
    return None


def _shortfall(promised: int, present: int) -> tuple[int, int] | None:
    missing = promised not in _UNKNOWN_SIZES and promised > present
    return (promised, present) if missing else None


def ogg_is_finished(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file is whole and marked as the last (RFC 3533, section 6).

    True for any other file.
    """
    file.seek(0)
    if file.read(4) != b"OggS":
        return True
    # A page is at most 65,307 bytes long.
    file.seek(max(0, file.seek(0, io.SEEK_END) - 65307))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or not page[5] & 4:
        return False
    segments = page[27 : 27 + page[26]]
    return len(segments) == page[26] and len(page) >= 27 + page[26] + sum(segments)


def has_mp3_length(file: BinaryIO) -> bool:
    """Whether an MP3 file states its own length, in a Xing, Info or VBRI frame.

    Without one, FFmpeg estimates the length from the bit rate of the first frames.
    """
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        # ID3v2, section 3.1: the size has seven bits a byte and leaves the header itself out.
        start = 10 + sum(
            byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
    file.seek(start)
    frame = file.read(4096)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
