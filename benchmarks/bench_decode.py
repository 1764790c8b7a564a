"""Recordings to clips, beside one ffmpeg process that does the same."""

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import av
import numpy as np

from asd.arrays import Samples, Vector
from asd.data.cut import Cutter
from asd.parallel import in_threads, parallel_map
from benchmarks.limits import ffmpeg
from benchmarks.page import Row
from benchmarks.timing import least_ratio, processor_s, turns

RATE = 16000
CLIP_S = 10
FILES, MINUTES, ROUNDS = 4, 4, 9
FORMATS = {
    "MP3": ("mp3", "libmp3lame", 44100),
    "AAC in MP4": ("mp4", "aac", 44100),
    "FLAC": ("flac", "flac", 44100),
    "WAV": ("wav", "pcm_s16le", 44100),
    "Opus": ("ogg", "libopus", 48000),
}
"""Name to container, encoder and rate in Hz."""


def rows() -> Iterator[Row]:
    """A row a format."""
    for name, (container, encoder, rate) in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            noise = 0.1 * np.random.default_rng(0).standard_normal(rate * 60 * MINUTES)
            files = [Path(folder) / f"{number}.{container}" for number in range(FILES)]
            _encode(files[0], noise.astype(np.float32), encoder, rate)
            for copy in files[1:]:
                copy.write_bytes(files[0].read_bytes())
            yield f"{name} of {rate / 1000:g} kHz to 10 s clips of 16 kHz", _row(files)


def _row(files: list[Path]) -> str:
    cut = Cutter(files[0].parent / "clips", CLIP_S * RATE, RATE, "drop", None)
    alone = partial(parallel_map, cut, files, "1 process", jobs=1)
    both = partial(parallel_map, cut, files, "2 processes", jobs=2)
    program = ffmpeg()
    if not program:
        one, two = turns(alone, both, rounds=ROUNDS, repeats=1)
        told = f"2 processes {least_ratio(one, two):.2f} times that; there is no ffmpeg to compare"
        return f"{_speed(one)}; {told}"
    theirs = partial(_ffmpeg, program, files)

    def halves() -> None:
        list(in_threads(partial(_ffmpeg, program), [files[::2], files[1::2]], 2))

    one, two, single, double = turns(alone, both, theirs, halves, rounds=ROUNDS, repeats=1)
    ours_s, theirs_s = turns(alone, theirs, rounds=ROUNDS, repeats=1, clock=processor_s)
    return (
        f"{_speed(one)}; of one ffmpeg {least_ratio(theirs_s, ours_s):.2f} by processor time "
        f"(aim 1.0), {least_ratio(single, one):.2f} by the clock; 2 processes "
        f"{least_ratio(single, two):.2f} (aim 1.8), where 2 of ffmpeg are "
        f"{least_ratio(single, double):.2f}"
    )


def _speed(taken: Vector) -> str:
    return f"{60 * MINUTES * FILES / float(taken.min()):.0f} times real time"


def _ffmpeg(program: str, files: list[Path]) -> None:
    """The same by ffmpeg, file by file: mono, 16 kHz, 16 bits, a file for each 10 s."""
    form = ["-ac", "1", "-ar", str(RATE), "-f", "segment", "-segment_time", str(CLIP_S)]
    for path in files:
        folder = path.with_name(f"{path.stem}-ffmpeg")
        folder.mkdir(exist_ok=True)
        command = [program, "-loglevel", "error", "-threads", "1", "-y", "-i", str(path)]
        subprocess.run([*command, *form, str(folder / "%d.wav")], check=True)


def _encode(path: Path, samples: Samples, encoder: str, rate: int) -> None:
    with av.open(str(path), "w") as output:
        track = cast(av.AudioStream, output.add_stream(encoder, rate=rate, layout="mono"))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for part in av.AudioResampler(track.format, "mono", rate).resample(frame):
            output.mux(track.encode(part))
        output.mux(track.encode(None))
