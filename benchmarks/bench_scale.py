"""How time and memory grow with clips, and what that means for many: ``make bench-scale``.

Each stage runs in a process of its own on made recordings. Its seconds are those of the work alone,
without the start of Python and MLflow; its memory is the most that a process of it has held.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asd.audio.encode import write_wav
from asd.config.recipe import Recipe
from asd.config.recipes import recipe_of
from asd.config.steps import CutConfig, TrainConfig
from asd.data import manifest
from asd.data.preprocess import preprocess
from asd.evaluation.evaluation import evaluate
from asd.features.store import FeatureStore
from asd.parallel import map_recordings
from asd.pipeline.branches import make_front_end, resolved
from asd.pipeline.pipeline import Pipeline
from benchmarks.page import PROJECT, write_section

RATE = 16000
CLIP_S = 10
CLIPS_A_RECORDING = 10
SIZES = (100, 1000, 10000)
MODELS = ("auto", "knn", "cnn")
EPOCHS = 2
"""Of the network: seconds grow with them."""
TIMES_MORE = 1_000_000
MACHINES = 1000


@dataclass(frozen=True)
class Measured:
    """What a stage took."""

    seconds: float
    peak_mb: float


def main() -> None:
    """Measure every stage at every size, and write the table and the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", default=",".join(map(str, SIZES)), help="sizes to measure")
    parser.add_argument("--price", type=float, default=0.2, help="of a machine and hour, any money")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--print", action="store_true", help="leave docs/scale.md as it is")
    given = parser.parse_args()
    if given.stage:
        print(json.dumps(_measure(given.stage)))
        return
    sizes = [int(word) for word in given.clips.split(",")]
    command = f"python -m benchmarks.bench_scale --clips {given.clips} --price {given.price:g}"
    load = os.getloadavg()[0]
    measured, disk = {}, {}
    for clips in sizes:
        with tempfile.TemporaryDirectory(prefix="asd-scale-") as folder:
            record(Path(folder) / "recordings", clips, CLIPS_A_RECORDING)
            measured[clips] = {stage: _run(stage, Path(folder)) for stage in STAGES}
            disk = _disk(Path(folder), clips)
    lines = [
        f"`{command}`, {os.cpu_count()} cores; load of the machine when it began: {load:.1f} (a "
        "load above 0 blurs the figures).",
        "",
        *_table(measured),
        "",
        *_plan(measured, disk, sizes, given.price),
    ]
    print("\n".join(lines))
    if not given.print:
        write_section("growth", "Growth measured", lines, PROJECT / "docs" / "scale.md")


def record(folder: Path, clips: int, clips_a_recording: int) -> None:
    """Recordings of a machine that hums, one in ten of one that knocks.

    Parameters
    ----------
    folder : Path
        Where they are written, below `normal` and `abnormal`.
    clips : int
        Clips of `CLIP_S` seconds in all.
    clips_a_recording : int
        Clips that a recording is long.
    """
    t = np.arange(CLIP_S * clips_a_recording * RATE) / RATE
    hum = 0.2 * np.sin(2 * np.pi * 200 * t)
    knock = 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
    for number in range(clips // clips_a_recording):
        label = "abnormal" if number % 10 == 9 else "normal"
        noise = np.random.default_rng(number).standard_normal(len(t))
        samples = hum + 0.05 * noise + (label == "abnormal") * knock
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_wav(folder / label / f"{number:05}.wav", samples.astype(np.float32), RATE)


def _run(stage: str, folder: Path) -> Measured:
    command = [sys.executable, "-m", "benchmarks.bench_scale", "--stage", stage]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    measured = Measured(**json.loads(done.stdout.splitlines()[-1]))
    print(f"{stage}: {measured.seconds:.1f} s, {measured.peak_mb:.0f} MB", flush=True)
    return measured


def _measure(stage: str) -> dict[str, float]:
    work = STAGES[stage]
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(process).ru_maxrss for process in who)
    return {"seconds": seconds, "peak_mb": peak / 1024}


def _recipe(model: str) -> Recipe:
    fields = {"epochs": EPOCHS} if model == "cnn" else {}
    return resolved(recipe_of(TrainConfig(model=model, detector=fields)), RATE)


def _cut() -> None:
    preprocess(Path("recordings"), Path("clips"), CutConfig(clip_seconds=CLIP_S, sample_rate=RATE))


def _features() -> None:
    for model in MODELS:
        for branch in _recipe(model).branches:
            FeatureStore(Path("store")).features(
                manifest.load(Path("clips")), make_front_end(branch)
            )


def _train(model: str) -> Callable[[], None]:
    def train() -> None:
        data = manifest.load(Path("clips"))
        sides = data.split("train"), data.split("valid")
        pipeline, _ = Pipeline.fit(_recipe(model), *sides, FeatureStore(Path("store")))
        pipeline.save(Path(model))

    return train


def _evaluate() -> None:
    data = manifest.load(Path("clips"))
    evaluate("auto", Pipeline.load(Path("auto")), data, FeatureStore(Path("store")))


def _score() -> None:
    paths = sorted(Path("recordings").rglob("*.wav"))
    map_recordings(Pipeline.load(Path("auto")).judge, paths, "score", skip_bad=False)


STAGES: Mapping[str, Callable[[], None]] = {
    "preprocess": _cut,
    "features": _features,
    **{f"train {model}": _train(model) for model in MODELS},
    "evaluate": _evaluate,
    "score": _score,
}


def _disk(folder: Path, clips: int) -> dict[str, float]:
    """Bytes a clip of what is kept; of the model, bytes in all."""
    return {
        "clips": _bytes(folder / "clips") / clips,
        "features": _bytes(folder / "store") / clips,
        "model": _bytes(folder / "auto"),
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _table(measured: Mapping[int, Mapping[str, Measured]]) -> Iterator[str]:
    sizes = list(measured)
    heads = [f"{clips:,} clips: ms a clip | MB at most" for clips in sizes]
    yield f"| stage | {' | '.join(heads)} | last two sizes, ms a clip |"
    yield "|---|" + "---|" * (2 * len(sizes) + 1)
    for stage in STAGES:
        each = [1000 * measured[clips][stage].seconds / clips for clips in sizes]
        peaks = [measured[clips][stage].peak_mb for clips in sizes]
        cells = [f"{ms:.1f} | {mb:.0f}" for ms, mb in zip(each, peaks, strict=True)]
        change = f"{100 * (each[-1] / each[-2] - 1):+.0f} %" if len(each) > 1 else ""
        yield f"| {stage} | {' | '.join(cells)} | {change} |"


def _plan(
    measured: Mapping[int, Mapping[str, Measured]],
    disk: Mapping[str, float],
    sizes: list[int],
    price: float,
) -> Iterator[str]:
    """What the rates at the largest size, and for machines those nearest 1,000 clips, come to."""
    largest = measured[max(sizes)]
    one = min(sizes, key=lambda clips: abs(clips - 1000))
    yield f"Computed from these rates, for one machine such as this, at {price:g} an hour:"
    yield ""
    yield "| plan | hours | cost | MB a process at most | on disk |"
    yield "|---|---|---|---|---|"
    for stage, kept in (("preprocess", "clips"), ("features", "features"), ("score", "")):
        hours = largest[stage].seconds / max(sizes) * TIMES_MORE / 3600
        size = f"{disk[kept] * TIMES_MORE / 1e9:.0f} GB" if kept else ""
        yield _row(f"{stage}, a million clips", hours, price, largest[stage].peak_mb, size)
    for model in MODELS:
        stage = f"train {model}"
        hours = measured[one][stage].seconds * MACHINES / 3600
        size = f"{disk['model'] * MACHINES / 1e9:.1f} GB" if model == "auto" else ""
        plan = f"{stage}, a thousand machines of {one:,} clips"
        yield _row(plan, hours, price, measured[one][stage].peak_mb, size)


def _row(plan: str, hours: float, price: float, peak_mb: float, size: str) -> str:
    return f"| {plan} | {hours:.1f} | {hours * price:.1f} | {peak_mb:.0f} | {size} |"


if __name__ == "__main__":
    main()
