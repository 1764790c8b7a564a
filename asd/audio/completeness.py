"""Whether a recording is all there.

FFmpeg, which does the decoding through PyAV, is made to rescue what it can: a file that was cut
short, or that lost a part, decodes without a word to something shorter. A detector would then be
trained on less than what its user believes. So what the file states is compared with what is in
it, before decoding and after.
"""

import io
from typing import Any, BinaryIO, Literal

import av

from asd.audio.header import is_placeholder
from asd.errors import AudioError
from asd.language import tr

STATES_LENGTH = frozenset({"aiff", "asf", "avi", "flac", "mov", "mp3", "ogg"})
"""Formats whose length stands in the file; FFmpeg estimates that of the others from its size."""

Truncated = Literal["refuse", "accept"]
"""What becomes of a recording that has lost its end."""
_TAGS = (b"ID3", b"3DI", b"TAG", b"APETAGEX", b"LYRICSBEGIN")


def remedy() -> str:
    """What to do about a recording that has lost its end."""
    return tr("export or copy it again, or take what is there with truncated=accept")


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

    def check(
        self, name: str, container: str, promised_s: float | None, truncated: Truncated = "refuse"
    ) -> list[str]:
        """Complain when the end or a part in between is missing.

        Parameters
        ----------
        name : str
            What to call the recording.
        container : str
            FFmpeg's first name of the container format.
        promised_s : float or None
            The length in seconds that the container states.
        truncated : {"refuse", "accept"}
            Whether the end may be missing.

        Returns
        -------
        list of str
            What is odd but no loss, a sentence each.

        Raises
        ------
        AudioError
            Less was decoded than there should be, or nothing.
        """
        if self.decoded_s == 0:
            raise AudioError(
                tr("{name}: the audio track holds no sound (0 samples); remove it", name=name)
            )
        # Encoder delay and padding, each up to a codec frame or two, are counted in or not.
        tolerance_s = 1e-3 if container in ("aiff", "flac") else max(0.1, 3 * self._frame_s)
        held_s = max(self.decoded_s, self._end_s, self._file_end_s)
        remarks = []
        if promised_s is not None and promised_s - held_s > tolerance_s:
            stated = tr(
                "states {promised:.2f} s but holds {held:.2f} s", promised=promised_s, held=held_s
            )
            if truncated == "refuse":
                raise AudioError(
                    tr(
                        "{name}: cut short or corrupt, {stated}; {remedy}",
                        name=name,
                        stated=stated,
                        remedy=remedy(),
                    )
                )
            remarks.append(tr("cut short, {loss}", loss=stated))
        # The clocks of sound and picture may drift apart, by 200 parts in a million at most.
        pause_s = self._end_s - self.decoded_s - 2e-4 * self._end_s
        if pause_s > tolerance_s and container != "mov":
            raise AudioError(
                tr(
                    "{name}: corrupt, {pause_s:.2f} s are missing in between; export or "
                    "copy it again",
                    name=name,
                    pause_s=pause_s,
                )
            )
        if pause_s > tolerance_s:
            # MP4 lists its packets in an index, so none is lost unseen: the recorder paused.
            remarks.append(tr("pauses of {pause_s:.2f} s are left out", pause_s=pause_s))
        return remarks


def ogg_end(file: BinaryIO) -> Literal["marked", "unmarked", "cut"] | None:
    """How an Ogg file ends (RFC 3533, section 6): a last page that is whole is no loss.

    Returns
    -------
    str or None
        ``marked`` as the end, ``unmarked``, or ``cut`` within the last page; None for other files.
    """
    file.seek(0)
    if file.read(4) != b"OggS":
        return None
    # A page is at most 65,307 bytes long.
    file.seek(max(0, file.seek(0, io.SEEK_END) - 65307))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        return "cut"
    return "marked" if page[5] & 4 else "unmarked"


def mp3_stated_s(file: BinaryIO, sample_rate: int) -> float | None:
    """Length in seconds that an MP3 file states, in a Xing, Info or VBRI frame.

    FFmpeg's own estimate goes by the size of the file where that is not what the frame says.

    Parameters
    ----------
    file : binary file
        Seekable.
    sample_rate : int
        In Hz.

    Returns
    -------
    float or None
        None where the length is not stated.
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
    # Where the number of frames stands behind the mark; Xing and Info have flags before it.
    for mark, behind in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        at = frame.find(mark)
        if at < 0 or (mark != b"VBRI" and not frame[at + 7] & 1):
            continue
        frames = int.from_bytes(frame[at + behind : at + behind + 4])
        samples = 1152 if sample_rate >= 32000 else 576
        return None if is_placeholder(frames) else frames * samples / sample_rate
    return None


def is_tag(packet: bytes) -> bool:
    """Whether what a decoder refuses is a tag between frames, and no sound that was lost."""
    return packet.startswith(_TAGS)


def is_padding(packet: bytes) -> bool:
    """Whether what a decoder refuses are zeros, as recorders add that write whole blocks."""
    return not any(packet)
