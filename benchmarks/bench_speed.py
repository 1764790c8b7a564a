"""Speed and memory as ratios of one run, written to docs/benchmarks.md: ``make bench``."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import av
import imageio_ffmpeg
import librosa
import numpy as np
import torch

from asd.arrays import Spectrogram
from asd.audio.decode import stream_blocks
from asd.audio.encode import transcode, write_wav
from asd.config import LogMelConfig
from asd.features.logmel import LogMel
from asd.parallel import parallel_map
from benchmarks.bench_training import Row, rows
from benchmarks.page import REAL, write_section

RATE = 16000
MP3_RATE = 44100
ROUNDS = 10
REPEATS = 10
MINUTES = 60


def main() -> None:
    """Measure everything and write the section."""
    load = os.getloadavg()[0]
    lines = [
        f"`make bench`, {os.cpu_count()} cores, torch {torch.__version__}, PyAV {av.__version__};",
        f"load of the machine when it began: {load:.1f} (a load above 0 blurs the figures).",
        "",
        "| what | baseline | here | |",
        "|---|---|---|---|",
    ]
    motor = REAL / "motor"
    for row in (*_log_mel(), *_preprocess(), *rows(motor if motor.is_dir() else None)):
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    write_section("speed", "Speed and memory", lines)


def _log_mel() -> Iterator[Row]:
    torch.set_num_threads(1)
    clip = np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32) * 0.1
    config = LogMelConfig()
    ours = LogMel(config)
    frames = torch.from_numpy(
        np.lib.stride_tricks.sliding_window_view(np.pad(clip, 512), 1024)[::512].astype(float)
    )
    times = _interleaved(
        lambda: _librosa(clip, config),
        lambda: ours(clip),
        lambda: torch.fft.rfft(frames),
    )
    slow, fast, bare = (1000 * seconds for seconds in times)
    yield (
        "log-mel of a 10 s clip, one thread",
        f"librosa {slow:.2f} ms",
        f"{fast:.2f} ms",
        f"{slow / fast:.1f} times librosa (aim 1.5)",
    )
    yield (
        "the same beside the FFT alone, of frames that lie ready in memory",
        f"torch.fft.rfft {bare:.2f} ms",
        f"{fast:.2f} ms",
        f"{fast / bare:.1f} times the FFT; aim 1.7: {'met' if fast <= 1.7 * bare else 'missed'}",
    )
    torch.set_num_threads(os.cpu_count() or 1)


def _librosa(clip: Spectrogram, config: LogMelConfig) -> None:
    power = librosa.feature.melspectrogram(
        y=clip, sr=RATE, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
    )
    librosa.power_to_db(power, ref=1.0)


def _interleaved(
    *calls: Callable[[], object], rounds: int = ROUNDS, repeats: int = REPEATS
) -> list[float]:
    """Median seconds of each call, taken in turn so that a drift of the machine meets all.

    In each turn a call is made several times and the first is left out: it pays for the memory
    that the one before gave back.
    """
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, times in zip(calls, taken, strict=True):
            for repeat in range(repeats):
                started = time.perf_counter()
                call()
                if repeat or repeats == 1:
                    times.append(time.perf_counter() - started)
    return [median(times) for times in taken]


def _preprocess() -> Iterator[Row]:
    """Decoding, resampling and cutting an hour of MP3 at 44.1 kHz, as four files of a quarter."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noise = 0.1 * rng.standard_normal(MP3_RATE * 60 * MINUTES // 4)
        write_wav(folder / "part.wav", noise, MP3_RATE)
        files = [folder / f"{number}.mp3" for number in range(4)]
        transcode(folder / "part.wav", files[0], "mp3")
        for copy in files[1:]:
            copy.write_bytes(files[0].read_bytes())
        alone, both, ffmpeg = _interleaved(
            lambda: parallel_map(_cut, files, "1 process", jobs=1),
            lambda: parallel_map(_cut, files, "2 processes", jobs=2),
            lambda: _ffmpeg(files),
            rounds=3,
            repeats=1,
        )
    speed, doubled, theirs = (60 * MINUTES / seconds for seconds in (alone, both, ffmpeg))
    what = "an hour of 44.1 kHz MP3 to 10 s WAV clips of 16 kHz"
    yield (
        f"{what}, 1 process",
        f"one ffmpeg process: {theirs:.0f} times real time",
        f"{speed:.0f} times real time",
        f"{speed / theirs:.2f} times ffmpeg",
    )
    yield (
        f"{what}, 2 processes",
        f"1 process: {speed:.0f} times real time",
        f"{doubled:.0f} times real time",
        f"{doubled / speed:.1f} times 1 process, {doubled / theirs:.2f} times ffmpeg",
    )


def _cut(path: Path) -> None:
    for number, block in enumerate(stream_blocks(path, RATE, block_s=10.0)):
        write_wav(path.with_suffix("") / f"{number}.wav", block, RATE)


def _ffmpeg(files: list[Path]) -> None:
    """The same by ffmpeg: mono, 16 kHz, 16 bits, a file for each 10 s."""
    form = ["-ac", "1", "-ar", str(RATE), "-f", "segment", "-segment_time", "10"]
    for path in files:
        folder = path.with_name(f"{path.stem}-ffmpeg")
        folder.mkdir(exist_ok=True)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", "-i", str(path)]
        subprocess.run([*command, *form, str(folder / "%d.wav")], check=True)


if __name__ == "__main__":
    main()
