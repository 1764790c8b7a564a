"""What the header of plain samples says of their number, and what is really there.

WAV, RF64, Wave64, AIFF, CAF and AU state how many bytes of sound they hold. Recorders that write
to a pipe or lose their power leave a placeholder there, others count the header in, and FFmpeg
believes some of them. The sound that is there outweighs its header: such a size is mended in what
FFmpeg gets to read, with a remark. A size that is neither is a promise, and what falls short of it
has lost its tail.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from asd.language import tr

_PLAUSIBLE_REST = 4096
"""So many bytes behind the stated sound may be anything, such as a tag; more of them are sound."""
_PCM, _EXTENSIBLE = 1, 0xFFFE
_FILES = (b"RIFF", b"RF64", b"FORM", b"riff")
"""What files begin with, and no chunk."""
_WAVE = (b"RIFF", b"RF64", b"BW64")
_AVI_START = 8
_W64_HEAD = 24
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"

Order = Literal["little", "big"]


@dataclass(frozen=True)
class Sizes:
    """Where a header says the samples are, and how it says it."""

    start: int
    """First byte of sound."""
    stated: int
    """Bytes of sound that the header states."""
    at: int
    """Where the size stands in the file."""
    width: int
    """Bytes of the size itself."""
    order: Order
    besides: int = 0
    """What the size counts besides the sound."""
    chunks: int = 0
    """Bytes of the size of the chunks that may follow; 0 where none can."""
    open_ended: bool = False
    """The format itself allows to leave the size open, and the header does."""


@dataclass
class Header:
    """What a header says, and what is wrong with it."""

    is_wave: bool = False
    """Whether it is that of a WAV file, of 32 or 64 bits."""
    shortfall: tuple[int, int] | None = None
    """Bytes stated and there, where the end is missing."""
    patches: dict[int, bytes] = field(default_factory=dict)
    """What has to be read in place of what stands in the file, by its first byte."""
    remarks: list[str] = field(default_factory=list)
    """One sentence each, for the user."""


def is_placeholder(size: int, width: int = 4) -> bool:
    """Whether a size is one that writers leave which cannot go back to the header.

    Parameters
    ----------
    size : int
        As it stands in the file.
    width : int
        Bytes of the field: 4 or 8.
    """
    top = 1 << (8 * width)
    half = top // 2
    return (
        size == 0
        # SoX and libsndfile fill the largest signed number, less the header; arecord exceeds it.
        or half - 0x10000 <= size < half + 0x100
        or size >= top - 0x100
    )


def check_header(file: BinaryIO) -> Header:
    """Compare the header of a recording with its size.

    Parameters
    ----------
    file : binary file
        Seekable; its position afterwards is anywhere.

    Returns
    -------
    Header
        Empty for formats without a stated size.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(24)
    header = Header(is_wave=head[:4] in _WAVE and head[8:12] == b"WAVE")
    sizes = _sizes(file, head, end, header)
    if sizes is not None:
        _judge(file, sizes, end, header)
    return header


def _sizes(file: BinaryIO, head: bytes, end: int, header: Header) -> Sizes | None:
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        # The size of all that follows; the sound in it is counted by its frames.
        return Sizes(_AVI_START, int.from_bytes(head[4:8], "little"), 4, 4, "little", chunks=4)
    if header.is_wave:
        return _wav_sizes(file, header)
    if head[:16] == _W64:
        return _w64_sizes(file, end)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff_sizes(file, end, header)
    if head[:4] == b"caff":
        return _caf_sizes(file)
    if head[:4] == b".snd" and len(head) == 24:
        start, stated = struct.unpack(">II", head[4:12])
        return Sizes(start, stated, 8, 4, "big", open_ended=stated == 0xFFFFFFFF)
    return None


def _judge(file: BinaryIO, sizes: Sizes, end: int, header: Header) -> None:
    present = max(0, end - sizes.start)
    if sizes.stated == present or _is_right(file, sizes, end, header):
        return
    raw = sizes.stated + sizes.besides
    too_much = sizes.stated - present
    counted_in = too_much in (8, 36, 44, sizes.start, sizes.start - 8)
    if too_much > 0 and not is_placeholder(raw, sizes.width) and not counted_in:
        header.shortfall = (sizes.stated, present)
    elif not sizes.open_ended:
        header.remarks.append(
            tr(
                "its header states {stated} bytes, {present} are there: read to the end",
                stated=max(0, sizes.stated),
                present=present,
            )
        )
    real = present + sizes.besides
    # What does not fit into the field is left open; FFmpeg then reads to the end.
    real = real if real < 1 << (8 * sizes.width) else 0
    header.patches[sizes.at] = real.to_bytes(sizes.width, sizes.order)


def _is_right(file: BinaryIO, sizes: Sizes, end: int, header: Header) -> bool:
    """Whether less is stated than there is because something else follows."""
    behind = sizes.start + sizes.stated
    if behind >= end or is_placeholder(sizes.stated + sizes.besides, sizes.width):
        return False
    if end - behind < _PLAUSIBLE_REST:
        return True
    wave64 = sizes.besides == _W64_HEAD
    for pad in (0, 1) if sizes.chunks else ():
        file.seek(behind + pad)
        name = file.read(16 if wave64 else 4)[:4]
        size = int.from_bytes(file.read(sizes.chunks), sizes.order)
        next_one = file.tell() + size - (_W64_HEAD if wave64 else 0)
        if name.isascii() and name.decode().isprintable() and next_one <= end + 1:
            if name in _FILES and sizes.start > _AVI_START:
                header.remarks.append("a second recording stands behind it and is not read")
            return True
    file.seek(behind)
    while block := file.read(1 << 20):
        if any(block):
            return False
    return True


def _chunks(file: BinaryIO, start: int, width: int, order: Order) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, with the file at its first byte."""
    end = file.seek(0, io.SEEK_END)
    here = file.seek(start)
    while len(head := file.read(4 + width)) == 4 + width:
        size = int.from_bytes(head[4:], order)
        here += 4 + width
        yield head[:4], size
        here += size + (size % 2 if width == 4 else 0)
        if here >= end:
            return
        file.seek(here)


def _wav_sizes(file: BinaryIO, header: Header) -> Sizes | None:
    long_size = None
    long_at = 0
    for name, size in _chunks(file, 12, 4, "little"):
        here = file.tell()
        if name == b"ds64":
            # RF64 (EBU Tech 3306): sizes beyond 32 bits stand here, that of the data second.
            long_at = here + 8
            long_size = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"fmt ":
            _check_bits(file, file.read(min(size, 40)), here, header)
        elif name == b"data":
            if size == 0xFFFFFFFF and long_size is not None:
                return Sizes(here, long_size, long_at, 8, "little", chunks=4)
            return Sizes(here, size, here - 4, 4, "little", chunks=4)
    return None


def _check_bits(file: BinaryIO, fmt: bytes, at: int, header: Header) -> None:
    """Have FFmpeg take samples that fill a part of their container for what they are.

    It goes by the valid bits alone: 24 of them in 32 it reads as another format altogether. They
    are the upper ones (WAVEFORMATEXTENSIBLE), so that the container is a sample by itself.
    """
    if len(fmt) < 16:
        return
    tag, channels, _, _, block, bits = struct.unpack("<HHIIHH", fmt[:16])
    container = 8 * (block // channels) if channels else 0
    extensible = tag == _EXTENSIBLE and len(fmt) >= 40 and fmt[24:26] == b"\x01\x00"
    valid = int.from_bytes(fmt[18:20], "little") if extensible else bits
    if container not in (16, 24, 32) or not 0 < (valid + 7) // 8 * 8 < container:
        return
    if extensible:
        header.patches[at + 14] = container.to_bytes(2, "little")
        header.patches[at + 18] = container.to_bytes(2, "little")
    elif tag == _PCM and _upper_bits_only(file, container, valid):
        header.patches[at + 14] = container.to_bytes(2, "little")


def _upper_bits_only(file: BinaryIO, container: int, valid: int) -> bool:
    """Whether the lowest bytes of the first samples are empty, as without an extension."""
    here = file.tell()
    sound = b""
    for name, _ in _chunks(file, 12, 4, "little"):
        if name == b"data":
            sound = file.read(4096 * container)
            break
    file.seek(here)
    size, empty = container // 8, (container - valid) // 8
    return bool(sound) and not any(any(sound[low::size]) for low in range(empty))


def _w64_sizes(file: BinaryIO, end: int) -> Sizes | None:
    # Sony Wave64: names are GUIDs of 16 bytes, sizes have 8 and count their own 24 bytes in.
    file.seek(40)
    while len(head := file.read(24)) == 24:
        size = int.from_bytes(head[16:], "little")
        here = file.tell()
        if head[:4] == b"data":
            return Sizes(here, size - _W64_HEAD, here - 8, 8, "little", _W64_HEAD, chunks=8)
        # Systems refuse to go to a place that lies beyond what any file can hold.
        file.seek(min(end, here + max(0, size - _W64_HEAD + -size % 8)))
    return None


def _aiff_sizes(file: BinaryIO, end: int, header: Header) -> Sizes | None:
    file.seek(4)
    form, plain = int.from_bytes(file.read(4)), file.read(4) == b"AIFF"
    frame, frames, frames_at = 0, 0, 0
    for name, size in _chunks(file, 12, 4, "big"):
        here = file.tell()
        if name == b"COMM":
            channels, frames, bits = struct.unpack(">HIH", file.read(8).ljust(8, b"\0"))
            frame, frames_at = channels * ((bits + 7) // 8), here + 2
        elif name == b"SSND":
            # The offset of the first sample and a size of blocks stand before the sound.
            sizes = Sizes(here + 8, size - 8, here - 4, 4, "big", besides=8, chunks=4)
            if plain and frame and is_placeholder(frames):
                held = end - sizes.start if is_placeholder(size) else size - 8
                header.patches[frames_at] = (max(0, held) // frame % (1 << 32)).to_bytes(4, "big")
            # Where all of it ends counts too, should the end be lost.
            if form > end - 8 or is_placeholder(form):
                header.patches[4] = ((end - 8) % (1 << 32)).to_bytes(4, "big")
            return sizes
    return None


def _caf_sizes(file: BinaryIO) -> Sizes | None:
    for name, size in _chunks(file, 8, 8, "big"):
        if name == b"data":
            here = file.tell()
            # Apple: -1 where the data chunk is the last and its size not known.
            still_open = size == (1 << 64) - 1
            return Sizes(here + 4, size - 4, here - 8, 8, "big", 4, 8, open_ended=still_open)
    return None
