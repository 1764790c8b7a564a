"""What this machine can do at all: the yardstick that figures of the same run are held to."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks.page import Row
from benchmarks.timing import interleaved

_SETS = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "AVX-512 BF16": "avx512_bf16",
    "AMX": "amx_tile",
}
_SIZE = 1024
PRODUCT_GFLOP = 2 * _SIZE**3 / 1e9
"""Operations of `product`, in 10^9."""
_MEGABYTES = 256
FRAMES, N_FFT = 313, 1024
"""Of a clip of 10 s at 16 kHz."""


@dataclass(frozen=True)
class Limits:
    """Limits of the machine, measured in the run in which they are used."""

    gflops: float
    """Float32 products of matrices on one thread, in 10^9 operations a second."""
    gflops_all: float
    """The same on all cores."""
    fft_s: float
    """Transform of the frames of a clip of 10 s, in double precision, in seconds."""
    copy_gb_s: float
    """Bytes read and written by a copy in memory, in GB a second."""

    def rows(self) -> Iterator[Row]:
        """The limits themselves."""
        cores = os.cpu_count()
        yield "limit: float32 matrix product, 1 thread", f"{self.gflops:.0f} GFLOP/s"
        told = f"{self.gflops_all:.0f} GFLOP/s, {self.gflops_all / self.gflops:.2f} times that"
        yield f"limit: the same, {cores} threads", told
        yield f"limit: bare FFT of {FRAMES} frames of {N_FFT}", f"{1000 * self.fft_s:.2f} ms"
        yield "limit: copy in memory, read and written", f"{self.copy_gb_s:.1f} GB/s"


@cache
def limits() -> Limits:
    """Measure them, once a process."""
    multiply = product()
    frames = torch.rand(FRAMES, N_FFT, dtype=torch.float64)
    source = np.ones(_MEGABYTES * 2**20 // 8)
    target = np.empty_like(source)
    before = torch.get_num_threads()
    (every,) = interleaved(multiply)
    torch.set_num_threads(1)
    one, fft, copy = interleaved(
        multiply, lambda: torch.fft.rfft(frames), lambda: np.copyto(target, source)
    )
    torch.set_num_threads(before)
    gigabytes = 2 * source.nbytes / copy / 1e9
    return Limits(PRODUCT_GFLOP / one, PRODUCT_GFLOP / every, fft, gigabytes)


def product() -> Callable[[], object]:
    """A product of matrices in float32 that does `PRODUCT_GFLOP` of work."""
    a, b = (torch.rand(_SIZE, _SIZE) for _ in range(2))
    return lambda: torch.mm(a, b)


def processor() -> str:
    """Name of the processor and the instruction sets that matter here, as in a table's head."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    fields = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    }
    has = set(fields.get("flags", fields.get("Features", "")).split())
    sets = [name for name, flag in _SETS.items() if flag in has]
    name = fields.get("model name", platform.machine()).replace("|", "/")
    return ", ".join([f"{name}, {os.cpu_count()} cores", *sets])


def ffmpeg() -> str | None:
    """The ffmpeg to compare with; None where there is none."""
    if find_spec("imageio_ffmpeg"):
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    return shutil.which("ffmpeg")
