"""Training of the networks: seconds an epoch, AUC and memory, beside the original's.

Run as ``python -m benchmarks.bench_training``; prints lines of a Markdown table.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from asd.arrays import Samples
from asd.audio.encode import write_wav
from asd.config import LogMelConfig
from asd.config.recipe import Recipe
from asd.config.steps import CutConfig
from asd.data import manifest
from asd.data.manifest import Clip, Dataset
from asd.data.preprocess import preprocess
from asd.detectors.base import FitContext
from asd.detectors.cnn import ConvAutoencoder
from asd.detectors.lstm import LstmAutoencoder
from asd.detectors.nets.transposed import TransposedConv2d
from asd.features.logmel import LogMel
from asd.features.store import FeatureStore
from asd.files import file_digest
from asd.pipeline.branches import resolved
from asd.pipeline.scorer import Scorer
from benchmarks.limits import PRODUCT_GFLOP, product
from benchmarks.original import Original, reader
from benchmarks.page import Row
from benchmarks.timing import interleaved, least_ratio, seconds

N_CLIPS = 75
CLIP_S = 10
RATE = 16000
BATCH = {"cnn": 256, "lstm": 16}
GFLOP = {"cnn": 0.29, "lstm": 0.15, "dense_ae": 0.49, "idnn": 0.087}
"""Work a clip of 10 s, forward and backward: of the dense networks six operations a weight and
window."""
AIMS = {"avx2": 5.0, "amx": 9.0}
SHARE = 0.6
"""Of the products of matrices that the machine can do: what is aimed at."""
ROUNDS = 9
EPOCHS = 5
SEEDS = 3

FRONT_END = LogMel(LogMelConfig(scaling="clip_max"))


def rows(motor: Path | None) -> Iterator[Row]:
    """Measure everything; AUC only where the motor recordings are given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = FeatureStore(folder / "store")
        data = data_set(folder / "machine", _machine())
        for model in GFLOP:
            yield _epochs(model, data, store)
        for model in BATCH:
            yield _memory(model, folder, store)
        if motor is not None:
            cut = CutConfig(clip_seconds=2, sample_rate=RATE)
            data = preprocess(motor, folder / "motor", cut).dataset
            for model in BATCH:
                yield _auc(model, data, store)


@dataclass(frozen=True)
class Ours:
    """A network of ours with the original's values."""

    model: str
    epochs: int
    seed: int = 0

    def learn(
        self, train: Dataset, valid: Dataset, store: FeatureStore, context: FitContext | None = None
    ) -> Scorer:
        """Train it."""
        values = {"patience": 0, "gradient_clip": 0}
        if self.model in BATCH:
            values["batch_size"] = BATCH[self.model]
        branch = {
            "model": self.model,
            "detector": {**values, "epochs": self.epochs},
            "features": {"scaling": "clip_max"},
        }
        recipe = Recipe.parse({"label": self.model, "branches": [branch], "seed": self.seed})
        return Scorer.fit(resolved(recipe, RATE), train, valid, store, context)


def _network(model: str, seed: int) -> torch.nn.Module:
    """The original's network, of PyTorch's own layers."""
    torch.manual_seed(seed)
    if model == "lstm":
        return LstmAutoencoder()
    network = ConvAutoencoder()
    for index, layer in enumerate(network.decoder):
        if isinstance(layer, TransposedConv2d):
            plain = torch.nn.ConvTranspose2d(layer.in_channels, layer.out_channels, 3, 2, 1)
            plain.output_padding = layer.output_padding
            plain.load_state_dict(layer.state_dict())
            network.decoder[index] = plain
    return network


def _epochs(model: str, data: Dataset, store: FeatureStore) -> Row:
    """Time epochs of both in turn, so that other load on the machine hits both."""
    files = [data.file(clip) for clip in data.clips]
    original = Original(_network(model, 0), BATCH[model], 0) if model in BATCH else None
    load = reader(files)
    store.features(data, FRONT_END)
    multiply = product()
    theirs, ours, least = [], [], []
    for _ in range(ROUNDS):
        least += interleaved(multiply, rounds=1)
        if original:
            epoch = partial(original.epoch, load, len(files))
            theirs.append(min(seconds(epoch) for _ in range(EPOCHS - 1)))
        ends: list[float] = []
        context = FitContext(lambda *_: ends.append(time.perf_counter()))  # noqa: B023 - at once
        Ours(model, EPOCHS).learn(data, Dataset(data.root, ()), store, context)
        ours.append(min(np.diff(ends)))
    taken = np.array(ours)
    share = GFLOP[model] * len(files) / PRODUCT_GFLOP * least_ratio(np.array(least), taken)
    told = f"{1000 * min(ours) / len(files):.2f} ms, {share:.0%} of the matrix product"
    told += f" (aim {SHARE:.0%})"
    if theirs:
        aim = AIMS["amx" if torch.cpu.get_capabilities().get("amx_bf16") else "avx2"]
        times = least_ratio(np.array(theirs), taken)
        told += f", {times:.1f} times as fast as the original (aim {aim:g})"
    return f"{model} epoch, {len(files)} clips of {CLIP_S} s, a clip", told


def _auc(model: str, data: Dataset, store: FeatureStore) -> Row:
    """Both with the original's values, on the motor recordings."""
    train, valid = data.split("train", "normal"), data.split("valid", "normal")
    test = data.split("test")
    truth = [clip.label == "anomaly" for clip in test.clips]
    heard = [list(store.features(side, FRONT_END)) for side in (train, valid, test)]
    theirs, ours = [], []
    for seed in range(SEEDS):
        original = Original(_network(model, seed), BATCH[model], seed)
        original.learn(heard[0], heard[1], epochs=100)
        theirs.append(float(roc_auc_score(truth, original.errors(heard[2]))))
        scorer = Ours(model, 100, seed).learn(train, valid, store)
        ours.append(float(roc_auc_score(truth, scorer.score(test, store))))
    slow, fast = (float(np.mean(values)) for values in (theirs, ours))
    told = f"{fast:.3f}, original {slow:.3f}: {fast - slow:+.3f} (aim within 0.01)"
    return f"{model} AUC on motor, mean of {SEEDS} seeds", told


def _memory(model: str, folder: Path, store: FeatureStore) -> Row:
    """Peak memory of a process that trains on these clips, and on ten times as many."""
    peaks = []
    for times in (1, 10):
        root = folder / f"noise-{times}"
        data = manifest.load(root) if root.exists() else data_set(root, noise(times * N_CLIPS))
        store.features(data, FRONT_END)  # is no part of training
        command = [sys.executable, "-m", "benchmarks.bench_training", "--peak", model]
        command += [str(root), str(store.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    told = f"{peaks[0]:.0f} and {peaks[1]:.0f} MB, {peaks[1] - peaks[0]:+.0f} MB (aim within 20)"
    return f"{model} peak memory, {N_CLIPS} and {10 * N_CLIPS} clips", told


def _peak(model: str, root: Path, store: Path) -> float:
    """Train on a data set and give the most memory this process ever had, in MB."""
    data = manifest.load(root)
    # As many clips pass through the network in all: what the allocator keeps grows with these, up
    # to a limit, and not with how many clips there are.
    epochs = 20 * N_CLIPS // len(data.clips)
    Ours(model, epochs).learn(data, Dataset(root, ()), FeatureStore(store))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _machine() -> Iterator[Samples]:
    """A humming, hissing machine at slightly different speeds."""
    rng = np.random.default_rng(0)
    time_s = np.arange(CLIP_S * RATE) / RATE
    for _ in range(N_CLIPS):
        speed = 50 * rng.uniform(0.95, 1.05)
        hum = sum(np.sin(2 * np.pi * k * speed * time_s) / k for k in range(1, 20))
        yield (0.05 * hum + 0.01 * rng.normal(size=len(time_s))).astype(np.float32)


def noise(n_clips: int) -> Iterator[Samples]:
    """Clips of white noise."""
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(CLIP_S * RATE, dtype=np.float32) for _ in range(n_clips))


def data_set(root: Path, sounds: Iterable[Samples]) -> Dataset:
    """Clips to train on, each a recording of its own."""
    clips = []
    for number, samples in enumerate(sounds):
        path = root / f"{number:05}.wav"
        write_wav(path, samples, RATE)
        clips.append(
            Clip(
                path=path.name,
                recording=path.stem,
                start_s=0,
                duration_s=CLIP_S,
                split="train",
                label="normal",
                sha256=file_digest(path),
            )
        )
    return manifest.save(root, clips)


def main() -> None:
    """Print the lines, or the peak memory of one training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motor", type=Path, help="folder of the motor recordings, for AUC")
    parser.add_argument(
        "--peak", nargs=3, metavar=("MODEL", "DATA", "STORE"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.peak:
        model, root, store = given.peak
        print(_peak(model, Path(root), Path(store)))
        return
    print("| what | here |\n|---|---|")
    for row in rows(given.motor):
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
