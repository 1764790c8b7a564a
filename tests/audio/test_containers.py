"""Every container and codec that recorders write is read whole, and sounds like its source.

Most files are made here by PyAV, some by libsndfile. Neither has an encoder for HE-AAC, AMR
wide-band, DTS, Monkey's Audio and Speex: of these it is tested only that DTS is told. PyAV's own
Vorbis encoder is an experimental one, so that Vorbis is made by libsndfile and put into WebM as it
is.
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from asd.audio.decode import probe, read
from asd.audio.folders import find_audio

Signal = NDArray[np.float32]
SECONDS = 3.0


@dataclass(frozen=True)
class Case:
    """One kind of file."""

    suffix: str
    codec: str
    rate: int = 16000
    format: str = ""
    options: dict[str, str] = field(default_factory=dict)
    quality: int | None = None
    bit_rate: int = 0
    plain: bool = False
    """Take a source of one tone: AMR models a voice, and does not keep the wave of more."""
    picture: str = ""


PYAV = {
    "WAV PCM 8": Case(".wav", "pcm_u8"),
    "WAV PCM 16": Case(".wav", "pcm_s16le"),
    "WAV PCM 24": Case(".wav", "pcm_s24le", 96000),
    "WAV PCM 32": Case(".wav", "pcm_s32le"),
    "WAV float 32": Case(".wav", "pcm_f32le"),
    "WAV float 64": Case(".wav", "pcm_f64le"),
    "WAV A-law": Case(".wav", "pcm_alaw", 8000),
    "WAV mu-law": Case(".wav", "pcm_mulaw", 8000),
    "WAV IMA ADPCM": Case(".wav", "adpcm_ima_wav", 44100),
    "WAV MS ADPCM": Case(".wav", "adpcm_ms", 44100),
    "WAV G.726": Case(".wav", "g726", 8000),
    "WAV MP3": Case(".wav", "libmp3lame", 44100),
    "BWF": Case(".bwf", "pcm_s24le", 48000, "wav", {"write_bext": "1"}),
    "RF64": Case(".rf64", "pcm_s16le", 16000, "wav", {"rf64": "always"}),
    "W64": Case(".w64", "pcm_s16le"),
    "AIFF": Case(".aiff", "pcm_s24be", 48000),
    "AIFC little-endian": Case(".aifc", "pcm_s16le", 44100, "aiff"),
    "CAF PCM": Case(".caf", "pcm_s16be"),
    "CAF ALAC": Case(".caf", "alac", 44100),
    "AU 16": Case(".au", "pcm_s16be"),
    "AU mu-law": Case(".snd", "pcm_mulaw", 8000, "au"),
    "VOC": Case(".voc", "pcm_u8", 8000),
    "FLAC": Case(".flac", "flac", 96000),
    "WavPack": Case(".wv", "wavpack", 44100),
    "TTA": Case(".tta", "tta", 44100),
    "Ogg Opus": Case(".opus", "libopus", 48000, "ogg"),
    "Ogg FLAC": Case(".oga", "flac", 16000, "ogg"),
    "Ogg video": Case(".ogv", "libopus", 48000, "ogg"),
    "MP2": Case(".mp2", "mp2", 48000),
    "MP3 CBR": Case(".mp3", "libmp3lame", 44100),
    "MP3 VBR": Case(".mp3", "libmp3lame", 44100, quality=236),
    "MP3 without a length": Case(".mp3", "libmp3lame", 44100, options={"write_xing": "0"}),
    "AAC": Case(".aac", "aac", 48000, "adts"),
    "AC-3": Case(".ac3", "ac3", 48000),
    "E-AC-3": Case(".eac3", "eac3", 48000),
    "AMR narrow-band": Case(".amr", "libopencore_amrnb", 8000, bit_rate=12200, plain=True),
    "3GP AMR": Case(".3gp", "libopencore_amrnb", 8000, bit_rate=12200, plain=True),
    "WMA 1": Case(".wma", "wmav1", 44100, "asf", bit_rate=128000),
    "WMA 2": Case(".wma", "wmav2", 44100, "asf", bit_rate=128000),
    "WMV": Case(".wmv", "wmav2", 44100, "asf", picture="mpeg4", bit_rate=128000),
    "M4A": Case(".m4a", "aac", 44100, "ipod"),
    "M4A ALAC": Case(".m4a", "alac", 44100, "ipod"),
    "MP4 with an edit list": Case(".mp4", "aac", 48000, picture="mpeg4"),
    "MP4 Opus": Case(".mp4", "libopus", 48000),
    "MP4 fragmented": Case(
        ".mp4", "aac", 48000, options={"movflags": "frag_keyframe+empty_moov"}, picture="mpeg4"
    ),
    "MP4 fragmented, sound only": Case(
        ".mp4", "aac", 48000, options={"movflags": "empty_moov", "frag_duration": "500000"}
    ),
    "MP4 fast start": Case(".mp4", "aac", 48000, options={"movflags": "faststart"}),
    "MOV PCM": Case(".mov", "pcm_s16le", 48000, picture="mpeg4"),
    "MOV AAC": Case(".mov", "aac", 44100),
    "MKV AAC": Case(".mkv", "aac", 48000, picture="mpeg4"),
    "MKV FLAC": Case(".mka", "flac", 44100, "matroska"),
    "MKV PCM": Case(".mkv", "pcm_s16le", 48000),
    "MKV live": Case(".mkv", "libopus", 48000, options={"live": "1"}),
    "WebM Opus": Case(".webm", "libopus", 48000),
    "TS AAC": Case(".ts", "aac", 48000, picture="mpeg4"),
    "TS MP2": Case(".mts", "mp2", 48000, "mpegts"),
    "MPEG": Case(".mpg", "mp2", 48000, picture="mpeg1video"),
    "VOB AC-3": Case(".vob", "ac3", 48000),
    "AVI PCM": Case(".avi", "pcm_s16le", 44100, picture="mpeg4"),
    "AVI MP3": Case(".avi", "libmp3lame", 44100, picture="mpeg4"),
    "FLV AAC": Case(".flv", "aac", 44100),
}

SNDFILE: dict[str, tuple[str, str, str]] = {
    "WAV GSM 6.10": (".wav", "WAV", "GSM610"),
    "extensible 24": (".wav", "WAVEX", "PCM_24"),
    "extensible float": (".wav", "WAVEX", "FLOAT"),
    "RF64 by libsndfile": (".wav", "RF64", "PCM_16"),
    "W64 float": (".w64", "W64", "FLOAT"),
    "CAF ALAC by libsndfile": (".caf", "CAF", "ALAC_24"),
    "CAF float": (".caf", "CAF", "FLOAT"),
    "AIFF float": (".aifc", "AIFF", "FLOAT"),
    "AU float": (".au", "AU", "FLOAT"),
    "AU A-law": (".au", "AU", "ALAW"),
    "MP3 by libsndfile": (".mp3", "MP3", "MPEG_LAYER_III"),
    "Ogg Vorbis by libsndfile": (".ogg", "OGG", "VORBIS"),
}


def chirps(rate: int) -> Signal:
    """Tones that rise and beat below 2 kHz, so that no shift of one fits another."""
    t = np.arange(round(SECONDS * rate)) / rate
    rising = np.sin(2 * np.pi * (300 * t + 100 * t**2))
    beating = np.sin(2 * np.pi * 517 * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * t))
    return np.asarray(0.3 * rising + 0.2 * beating, np.float32)


def wavering(rate: int) -> Signal:
    """One tone that wavers."""
    t = np.arange(round(SECONDS * rate)) / rate
    tone = np.sin(2 * np.pi * 517 * t + 4 * np.pi * np.sin(2 * np.pi * 0.7 * t))
    return np.asarray(0.3 * tone, np.float32)


def picture(output: av.container.OutputContainer, codec: str) -> Callable[[], None]:
    """Add a track of pictures; what is given back writes them."""
    # The rate that MPEG-1 knows too.
    video = cast(av.VideoStream, output.add_stream(codec, rate=25))
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"

    def write() -> None:
        for number in range(round(SECONDS * 25)):
            shown = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, 25)
            output.mux(video.encode(shown))
        output.mux(video.encode(None))

    return write


def make(path: Path, case: Case, samples: Signal) -> Path:
    """Write a file of one kind with PyAV."""
    with av.open(str(path), "w", format=case.format or None, options=case.options) as output:
        encoder = cast(av.AudioStream, output.add_stream(case.codec, rate=case.rate, layout="mono"))
        if case.quality is not None:
            encoder.codec_context.qscale = True
            encoder.codec_context.global_quality = case.quality
        elif case.bit_rate:
            encoder.codec_context.bit_rate = case.bit_rate
        write = picture(output, case.picture) if case.picture else None
        size = encoder.codec_context.frame_size or 1024
        for start in range(0, len(samples), size):
            piece = np.ascontiguousarray(samples[start : start + size])[None]
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = case.rate, start, Fraction(1, case.rate)
            output.mux(encoder.encode(frame))
        output.mux(encoder.encode(None))
        if write:
            write()
    return path


def best_correlation(decoded: Signal, source: Signal) -> float:
    """Correlation at the shift that fits best: codecs without an edit list delay a little."""
    n = len(decoded) + len(source)
    product = np.fft.rfft(decoded, n) * np.fft.rfft(source, n).conj()
    lag = int(np.argmax(np.fft.irfft(product, n)))
    lag = lag - n if lag > n // 2 else lag
    a, b = (decoded[lag:], source) if lag >= 0 else (decoded, source[-lag:])
    length = min(len(a), len(b))
    return float(np.corrcoef(a[:length], b[:length])[0, 1])


@pytest.mark.parametrize("kind", PYAV)
def test_what_recorders_write_is_read_whole_and_right(tmp_path: Path, kind: str) -> None:
    case = PYAV[kind]
    source = wavering(case.rate) if case.plain else chirps(case.rate)
    path = make(tmp_path / f"録音{case.suffix}", case, source)
    decoded, rate = read(path)
    assert find_audio(tmp_path) == [path]
    assert rate == case.rate
    assert len(decoded) / rate == pytest.approx(SECONDS, abs=0.05)
    assert best_correlation(decoded, source) > 0.99


@pytest.mark.parametrize("kind", SNDFILE)
def test_what_libsndfile_writes_is_read_whole_and_right(tmp_path: Path, kind: str) -> None:
    suffix, container, subtype = SNDFILE[kind]
    rate = 8000 if "GSM" in kind or "law" in kind else 44100
    source = chirps(rate)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, source, rate, subtype, format=container)
    decoded, _ = read(path)
    assert len(decoded) / rate == pytest.approx(SECONDS, abs=0.05)
    assert best_correlation(decoded, source) > 0.99


def test_vorbis_in_webm_is_read_whole_and_right(tmp_path: Path) -> None:
    source = chirps(48000)
    soundfile.write(tmp_path / "a.ogg", source, 48000, "VORBIS", format="OGG")
    with (
        av.open(str(tmp_path / "a.ogg")) as given,
        av.open(str(tmp_path / "a.webm"), "w") as output,
    ):
        track = output.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(given.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                output.mux(packet)
    decoded, rate = read(tmp_path / "a.webm")
    assert len(decoded) / rate == pytest.approx(SECONDS, abs=0.05)
    assert best_correlation(decoded, source) > 0.99


def dts_frames(size: int, n: int) -> bytes:
    """Frames of DTS with noise for sound, as words of 16 bits in the order of WAV."""
    head = [
        (0x7FFE8001, 32), (1, 1), (31, 5), (0, 1), (size // 128 - 1, 7), (size - 1, 14), (2, 6),
        (8, 4), (24, 5), (0, 13), (1, 1), (7, 4), (0, 11),
    ]  # fmt: skip
    bits = "".join(f"{value:0{width}b}" for value, width in head)
    bits += "0" * (-len(bits) % 8)
    start = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    rng = np.random.default_rng(0)
    frames = [start + rng.bytes(size - len(start)) for _ in range(n)]
    return np.frombuffer(b"".join(frames), ">u2").astype("<u2").tobytes()


@pytest.mark.parametrize("size", [2048, 4096])
def test_dts_that_calls_itself_pcm_is_not_taken_for_samples(tmp_path: Path, size: int) -> None:
    path = tmp_path / "disc.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(dts_frames(size, 100))
    assert probe(path).codec == "dca"
