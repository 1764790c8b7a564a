"""The sound that is there outweighs its header; what has lost its tail is refused."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.audio.container import MAX_RATE, MIN_RATE
from asd.audio.decode import probe, read, stream_blocks
from asd.audio.encode import transcode
from asd.audio.header import check_header, is_placeholder
from asd.audio.patched import PatchedFile
from asd.errors import AudioError

Make = Callable[..., Any]
N = 16000
SOUND = np.random.default_rng(0).integers(-9000, 9000, N, "<i2")
PLACEHOLDERS = (0, 0x7FFFF000, 0x7FFFFFD3, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, 0xFFFFFFFF)


def wav(
    data_size: int | None = None,
    tag: int = 1,
    channels: int = 1,
    rate: int = 16000,
    block: int = 2,
    bits: int = 16,
    body: bytes = SOUND.tobytes(),
    behind: bytes = b"",
) -> bytes:
    """A 16-bit mono WAV, of which any field of the header may lie."""
    size = len(body) if data_size is None else data_size
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits)
    rest = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(rest + body)) + rest + body + behind


def sndfile(container: str, subtype: str = "PCM_16", seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    samples = np.tile(SOUND, 4)[: round(seconds * 16000)]
    soundfile.write(file, samples, 16000, subtype, format=container)
    return file.getvalue()


def put(data: bytes, at: int, value: int, width: int, order: Any) -> bytes:
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def length(data: bytes, truncated: Any = "refuse") -> int:
    return sum(map(len, stream_blocks(data, truncated=truncated)))


def outcome(data: bytes, rate: int = 16000, truncated: Any = "refuse") -> tuple[float, str]:
    """Seconds that are read, and the line that says why no more are; anything else raises."""
    total = 0
    try:
        for block in stream_blocks(data, rate, truncated=truncated):
            total += len(block)
    except AudioError as error:
        return total / rate, str(error)
    return total / rate, ""


@pytest.mark.parametrize("size", [*PLACEHOLDERS, 2 * N + 8, 2 * N + 36, 2 * N + 44])
def test_a_placeholder_or_a_header_counted_in_is_read_to_the_end_with_a_warning(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    samples, _ = read(wav(size))
    np.testing.assert_array_equal(samples, SOUND / np.float32(32768))
    [message] = caplog.messages
    assert f"its header states {size} bytes, 32000 are there: read to the end" in message
    assert "\n" not in message


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.integers(0, 2**32 - 1), st.integers(2 * N - 99, 2 * N + 99)))
def test_whatever_size_a_wav_states_its_sound_is_read_or_the_loss_is_named(size: int) -> None:
    data = wav(size)
    # A tag or the like may stand behind the sound, but never much.
    least = N - 2048 if size < 2 * N else N
    assert least <= length(data, "accept") <= N
    lost = size - 2 * N
    if lost <= 0 or lost in (8, 36, 44) or is_placeholder(size):
        assert least <= length(data) <= N
    else:
        with pytest.raises(AudioError, match=f"cut short, its header promises {size} bytes but"):
            length(data)


@settings(deadline=None, max_examples=150)
@given(
    channels=st.integers(0, 65535),
    rate=st.integers(0, 2**32 - 1) | st.integers(400, 900_000),
    block=st.integers(0, 65535) | st.integers(0, 8),
    bits=st.integers(0, 65535) | st.sampled_from([8, 16, 20, 24, 32]),
    tag=st.integers(0, 65535) | st.sampled_from([1, 2, 3, 6, 7, 17, 0xFFFE]),
)
def test_whatever_a_format_chunk_says_there_is_sound_or_one_line(**fields: Any) -> None:
    short = wav(body=SOUND[:2000].tobytes(), **fields)
    seconds, error = outcome(short, 8000)
    assert "\n" not in error
    assert seconds <= 4000 / MIN_RATE
    assert error or MIN_RATE <= fields["rate"] <= MAX_RATE


@settings(deadline=None, max_examples=80)
@given(
    container=st.sampled_from(["WAV", "AIFF", "AU", "CAF", "W64", "RF64"]),
    at=st.integers(0, 120),
    value=st.binary(min_size=1, max_size=8),
)
def test_no_header_of_plain_samples_ends_in_anything_but_one_line(
    container: str, at: int, value: bytes
) -> None:
    data = sndfile(container, seconds=0.2)
    with_header = data[:at] + value + data[at + len(value) :]
    for truncated in ("refuse", "accept"):
        assert "\n" not in outcome(with_header, truncated=truncated)[1]


FIELDS = {
    # How far behind a word the size stands, its bytes and order, and what it counts besides.
    "W64": (b"data", 16, 8, "little", 24),
    "CAF": (b"data", 4, 8, "big", 4),
    "AIFF": (b"SSND", 4, 4, "big", 8),
    "AU": (b".snd", 8, 4, "big", 0),
}


@pytest.mark.parametrize("container", FIELDS)
def test_the_size_of_other_containers_is_weighed_in_the_same_way(container: str) -> None:
    word, offset, width, order, besides = FIELDS[container]
    data = sndfile(container)
    at = data.index(word) + offset
    top = 1 << 8 * width
    for size in (0, top // 2 - 1, top // 2, top - 1):
        assert length(put(data, at, size, width, order)) == N
    stated = 2 * N + besides + 1000
    with pytest.raises(AudioError, match="cut short, its header promises 33000 bytes but 32000"):
        length(put(data, at, stated, width, order))
    with pytest.raises(AudioError, match="cut short"):
        length(data[: len(data) // 2])
    assert length(data[: len(data) // 2], "accept") == pytest.approx(N / 2, abs=2000)


def test_a_wave64_chunk_beyond_what_any_disk_holds_is_one_line(tmp_path: Path) -> None:
    guid = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
    path = tmp_path / "endless.w64"
    path.write_bytes(guid + bytes(8) + guid + guid + b"\xff" * 8 + bytes(99))
    with pytest.raises(AudioError) as error:
        probe(path)
    assert "\n" not in str(error.value)


def test_an_aiff_whose_recorder_never_came_back_is_read_whole() -> None:
    data = sndfile("AIFF")
    data = put(data, data.index(b"COMM") + 10, 0, 4, "big")
    data = put(data, data.index(b"SSND") + 4, 0, 4, "big")
    assert length(put(data, 4, 0, 4, "big")) == N


def test_what_stands_behind_the_sound_is_no_sound_unless_it_can_be_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chunk = b"LIST" + struct.pack("<I", 8000) + bytes(range(250)) * 32
    for behind in (chunk, b"TAG" + b"x" * 125, bytes(9000)):
        assert length(wav(behind=behind)) == N
    assert not caplog.messages
    # The size of the last flush, as a recorder leaves it that lost its power.
    assert length(wav(2 * N, behind=SOUND.tobytes())) == 2 * N
    assert "states 32000 bytes, 64000 are there" in caplog.messages[-1]
    assert length(wav() + wav()) == N
    assert "a second recording stands behind it and is not read" in caplog.messages[-1]


@pytest.mark.parametrize("valid", [24, 20, 17])
@pytest.mark.parametrize("extensible", [True, False])
def test_valid_bits_in_a_larger_container_are_read_as_what_they_are(
    valid: int, extensible: bool
) -> None:
    samples = np.round(SOUND / 32768 * 2 ** (valid - 1)).astype("<i4") << (32 - valid)
    tag, bits, more = (
        (0xFFFE, 32, struct.pack("<HHI", 22, valid, 4)) if extensible else (1, valid, b"")
    )
    more += bytes.fromhex("0100000000001000800000aa00389b71") if extensible else b""
    fmt = struct.pack("<HHIIHH", tag, 1, 16000, 64000, 4, bits) + more
    body = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", samples.nbytes)
    data = b"RIFF" + struct.pack("<I", 4 + len(body) + samples.nbytes) + b"WAVE" + body
    decoded, _ = read(data + samples.tobytes())
    np.testing.assert_allclose(decoded, SOUND / 32768, atol=2**-15)


def test_floats_of_24_bits_are_not_taken_for_whole_numbers() -> None:
    samples = (SOUND.astype("<f4") + 0.3).tobytes()
    assert not check_header(io.BytesIO(wav(block=4, bits=24, body=samples))).patches


def test_the_samples_of_a_block_of_adpcm_end_where_the_file_says() -> None:
    data = sndfile("WAV", "IMA_ADPCM")
    assert length(data) > N
    assert length(put(data, data.index(b"fact") + 8, N, 4, "little")) == N


@pytest.mark.parametrize("rate", [0, 1, 7, MIN_RATE - 1, MAX_RATE + 1, 2**31 - 1, 2**32 - 1])
def test_a_rate_that_no_recorder_has_is_refused(rate: int) -> None:
    with pytest.raises(AudioError):
        probe(wav(rate=rate))
    for usual in (MIN_RATE, MAX_RATE):
        assert probe(wav(rate=usual)).sample_rate == usual


def test_an_unknown_codec_is_one_line() -> None:
    with pytest.raises(AudioError, match=r"its codec is unknown\).*usual codec"):
        probe(wav(tag=0xFFFF))


def crc(page: bytes) -> int:
    """Checksum of an Ogg page (RFC 3533, section 6)."""
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ 0x04C11DB7 if total & 0x80000000 else total << 1) & 0xFFFFFFFF
    return total


def page_sizes(data: bytes) -> list[tuple[int, int]]:
    places, at = [], 0
    while at < len(data):
        size = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        places.append((at, size))
        at += size
    return places


def with_page(data: bytes, at: int, size: int) -> bytes:
    page = put(data[at : at + size], 22, 0, 4, "little")
    return data[:at] + put(page, 22, crc(page), 4, "little") + data[at + size :]


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_an_ogg_file_without_an_end_mark_is_read_whole_with_a_warning(
    subtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = sndfile("OGG", subtype, 4)
    at, size = page_sizes(data)[-1]
    unmarked = with_page(put(data, at + 5, data[at + 5] & ~4, 1, "little"), at, size)
    samples, rate = read(unmarked)
    assert len(samples) / rate == pytest.approx(4, abs=0.05)
    assert "its last page is not marked as the end" in caplog.messages[0]
    with pytest.raises(AudioError, match="cut short, its end is missing"):
        read(unmarked[:-5])
    assert length(unmarked[:-5], "accept") / rate < 4


def test_sound_that_opus_skips_at_its_start_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    data = sndfile("OGG", "OPUS", 4)
    cropped = put(data, data.index(b"OpusHead") + 10, 65535, 2, "little")
    cropped = with_page(cropped, *page_sizes(cropped)[0])
    assert probe(cropped).duration_s == pytest.approx(4 + 312 / 48000 - 65535 / 48000, abs=0.01)
    assert length(cropped) / 48000 == pytest.approx(probe(cropped).duration_s, abs=0.01)
    assert not caplog.messages


TITLE = b"ID3\3\0\0\0\0\0\x1eTIT2" + struct.pack(">I", 10) + b"\0\0\0machine A" + bytes(10)
LYRICS = b"LYRICSBEGININD0000200" + b"la la " * 200 + b"001230LYRICS200"
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 64, 1, 1 << 31) + bytes(8) + b"x" * 64


@pytest.mark.parametrize(
    ("before", "behind"),
    [(b"", bytes(8192)), (b"", LYRICS), (b"", APE), (TITLE, TITLE), (b"", b"TAG" + b"x" * 125)],
)
def test_bytes_that_are_no_frame_of_an_mp3_are_no_loss(before: bytes, behind: bytes) -> None:
    data = sndfile("MP3", "MPEG_LAYER_III", 4)
    assert length(before + data + behind) / 16000 == pytest.approx(4, abs=0.05)


def test_two_mp3s_in_one_file_are_read_one_after_the_other() -> None:
    data = sndfile("MP3", "MPEG_LAYER_III", 4)
    # What LAME adds at the start and the end of each is known of the first only.
    assert length((TITLE + data) * 2) / 16000 == pytest.approx(8, abs=0.15)


def test_zeros_within_an_mp3_are_a_loss() -> None:
    data = sndfile("MP3", "MPEG_LAYER_III", 4)
    middle = len(data) // 2
    with pytest.raises(AudioError, match="corrupt or cut short at"):
        length(data[:middle] + bytes(3000) + data[middle + 3000 :])


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".mkv", ".aac"])
def test_a_lost_tail_is_refused_unless_it_is_accepted(
    tmp_path: Path, make_media: Make, make_tone: Make, suffix: str
) -> None:
    rate = 48000 if suffix == ".ogg" else 16000
    data = make_media(tmp_path / f"a{suffix}", [make_tone(6, rate)], rate).read_bytes()
    half = tmp_path / f"half{suffix}"
    half.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"cut short.*truncated=accept"):
        read(half)
    with pytest.raises(AudioError, match=r"cut short.*truncated=accept"):
        transcode(half, tmp_path / "half.wav", "wav")
    assert 1.5 < length(half.read_bytes(), "accept") / rate < 4.0
    assert 1.5 < transcode(half, tmp_path / "half.wav", "wav", truncated="accept") < 4.0


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".mkv"])
def test_damage_in_the_middle_is_no_lost_tail(
    tmp_path: Path, make_media: Make, make_tone: Make, suffix: str
) -> None:
    data = bytearray(make_media(tmp_path / f"a{suffix}", [make_tone(6)]).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(1).bytes(4000)
    with pytest.raises(AudioError, match="corrupt"):
        length(bytes(data), "accept")


def test_an_mp4_that_states_less_than_it_holds_is_read_to_the_end(
    tmp_path: Path, make_media: Make, make_tone: Make, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_media(tmp_path / "a.mp4", [make_tone(3)]).read_bytes()
    at = data.index(b"mdhd") + 20
    assert length(put(data, at, 1, 4, "big")) / 16000 == pytest.approx(3, abs=0.2)
    assert "but goes on: read to the end" in caplog.messages[-1]


def test_a_patched_file_reads_the_patches_in_pieces_of_any_size() -> None:
    content = bytes(range(100))
    patches = {10: b"abcd", 50: b"xy"}
    whole = bytearray(content)
    for at, new in patches.items():
        whole[at : at + len(new)] = new
    for step in (1, 3, 11, 100):
        file = PatchedFile(io.BytesIO(content), patches)
        assert b"".join(iter(lambda: file.read(step), b"")) == whole  # noqa: B023
    assert file.seek(12) == file.tell() == 12
    assert file.read(3) == b"cd\x0e"
