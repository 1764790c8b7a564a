"""Training of the networks: seconds an epoch, AUC and memory, beside the original's recipe.

Run as ``python -m benchmarks.bench_training``; prints lines of a Markdown table.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
import torch
from sklearn.metrics import roc_auc_score

from asd.arrays import Spectrogram
from asd.audio.decode import read_clip
from asd.config import LogMelConfig
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn, CnnConfig, ConvAutoencoder
from asd.detectors.lstm import Lstm, LstmAutoencoder, LstmConfig
from asd.detectors.nets.autoencoder import TorchAutoencoder
from asd.detectors.nets.transposed import TransposedConv2d
from asd.features.clipset import ClipSet
from asd.features.logmel import LogMel
from benchmarks.recipe import Recipe, reader

N_CLIPS = 75
CLIP_S = 10
RATE = 16000
BATCH = {"cnn": 256, "lstm": 16}
AIMS = {"cnn": 6.0, "lstm": 7.0}
ROUNDS = 7
EPOCHS = 5
SEEDS = 3

FRONT_END = LogMel(LogMelConfig(scaling="clip_max"))

Row = tuple[str, str, str, str]
"""What was measured, the recipe's figure, ours, and what is to be said about them."""


def rows(motor: Path | None) -> Iterator[Row]:
    """Measure everything; AUC only where the motor recordings are given."""
    with tempfile.TemporaryDirectory() as folder:
        files = list(_synthetic(Path(folder)))
        features = _kept(Path(folder) / "kept", [FRONT_END(read_clip(f, RATE)) for f in files])
        for model in BATCH:
            yield _epochs(model, files, features)
        for model in BATCH:
            yield _memory(model, Path(folder))
    if motor is not None:
        data = _motor(motor)
        for model in BATCH:
            yield _auc(model, *data)


def build(model: str, epochs: int, seed: int = 0) -> TorchAutoencoder[CnnConfig] | Lstm:
    """Our detector with the original's values."""
    values = {"epochs": epochs, "batch_size": BATCH[model], "patience": 0, "gradient_clip": 0}
    if model == "cnn":
        return Cnn(CnnConfig.parse(values), seed)
    return Lstm(LstmConfig.parse(values), seed)


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


def _epochs(model: str, files: list[Path], features: ClipSet) -> Row:
    """Time epochs of both in turn, so that other load on the machine hits both."""
    recipe = Recipe(_network(model, 0), BATCH[model], 0)
    load = reader(files)
    theirs, ours = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        recipe.epoch(load, len(files))
        theirs.append(time.perf_counter() - started)
        ends: list[float] = []
        context = FitContext(lambda *_: ends.append(time.perf_counter()))  # noqa: B023 - at once
        build(model, EPOCHS).fit(features, ClipSet([]), context)
        ours += np.diff(ends).tolist()
    slow, fast = (1000 * median(times) / len(files) for times in (theirs, ours))
    ratio = slow / fast
    verdict = "met" if ratio >= AIMS[model] else "missed"
    return (
        f"{model} epoch, {len(files)} clips of {CLIP_S} s, ms a clip",
        f"{slow:.1f}",
        f"{fast:.2f}",
        f"{ratio:.1f} times as fast; aim {AIMS[model]:g}: {verdict}",
    )


def _auc(model: str, train: list[Spectrogram], test: list[Spectrogram], truth: list[bool]) -> Row:
    """Both with the original's values, on the motor recordings."""
    valid, rest = train[::5], [clip for index, clip in enumerate(train) if index % 5]
    theirs, ours = [], []
    for seed in range(SEEDS):
        recipe = Recipe(_network(model, seed), BATCH[model], seed)
        recipe.fit(rest, valid, epochs=100)
        theirs.append(float(roc_auc_score(truth, recipe.errors(test))))
        detector = build(model, epochs=100, seed=seed)
        detector.fit(ClipSet(rest), ClipSet(valid))
        ours.append(float(roc_auc_score(truth, detector.score(ClipSet(test)))))
    slow, fast = (float(np.mean(values)) for values in (theirs, ours))
    return (
        f"{model} AUC on motor, mean of {SEEDS} seeds",
        f"{slow:.3f}",
        f"{fast:.3f}",
        f"difference {fast - slow:+.3f}; aim within 0.01: "
        + ("met" if abs(fast - slow) <= 0.01 else "missed"),
    )


def _memory(model: str, folder: Path) -> Row:
    """Peak memory of a process that trains on these clips, and on ten times as many."""
    peaks = []
    for times in (1, 10):
        kept = folder / f"{model}-{times}"
        rng = np.random.default_rng(0)
        shape = (128, FRONT_END.n_frames(CLIP_S * RATE))
        clips = (rng.random(shape, dtype=np.float32) for _ in range(times * N_CLIPS))
        _kept(kept, clips)
        command = [sys.executable, "-m", "benchmarks.bench_training", "--peak", model, str(kept)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    return (
        f"{model} peak memory, {N_CLIPS} and {10 * N_CLIPS} clips, MB",
        "",
        f"{peaks[0]:.0f} and {peaks[1]:.0f}",
        f"{peaks[1] - peaks[0]:+.0f} MB for {9 * N_CLIPS} more clips",
    )


def _peak(model: str, folder: Path) -> float:
    """Train on kept clips and give the most memory this process ever had, in MB."""
    build(model, epochs=2).fit(ClipSet(_Files(folder)), ClipSet([]))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _synthetic(folder: Path) -> Iterator[Path]:
    """A humming, hissing machine at slightly different speeds."""
    rng = np.random.default_rng(0)
    time_s = np.arange(CLIP_S * RATE) / RATE
    for number in range(N_CLIPS):
        speed = 50 * rng.uniform(0.95, 1.05)
        hum = sum(np.sin(2 * np.pi * k * speed * time_s) / k for k in range(1, 20))
        samples = 0.05 * hum + 0.01 * rng.normal(size=len(time_s))
        path = folder / f"{number:03}.wav"
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        yield path


class _Files(Sequence[Spectrogram]):
    """Features read one by one, as those of a store are."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("*.npy"))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return np.load(self._paths[index])


def _kept(folder: Path, clips: Iterable[Spectrogram]) -> ClipSet:
    folder.mkdir()
    for number, clip in enumerate(clips):
        np.save(folder / f"{number:05}.npy", clip)
    return ClipSet(_Files(folder))


def _motor(root: Path) -> tuple[list[Spectrogram], list[Spectrogram], list[bool]]:
    """Two-second spectrograms to train on and to test on, and which of these are faulty."""
    train: list[Spectrogram] = []
    test: list[Spectrogram] = []
    truth: list[bool] = []
    with (root / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples = read_clip(root / row["file"], RATE)
            starts = range(0, len(samples) - 2 * RATE + 1, 2 * RATE)
            clips = [FRONT_END(samples[start : start + 2 * RATE]) for start in starts]
            if row["split"] == "train":
                train += clips
            else:
                test += clips
                truth += [row["label"] == "anomaly"] * len(clips)
    return train, test, truth


def main() -> None:
    """Print the lines, or the peak memory of one training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motor", type=Path, help="folder of the motor recordings, for AUC")
    parser.add_argument("--peak", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print(_peak(given.peak[0], Path(given.peak[1])))
        return
    print("| what | recipe | here | |\n|---|---|---|---|")
    for row in rows(given.motor):
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
