"""The training loop that all detectors with a network share."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from asd.arrays import Spectrogram
from asd.config.search import Search
from asd.detectors.base import DetectorConfig, FitContext
from asd.detectors.nets import checkpoint as _checkpoint
from asd.detectors.nets.checkpoint import Progress
from asd.detectors.nets.workers import Workers, keep_freed_memory
from asd.errors import DetectorError
from asd.features.clipset import ClipSet
from asd.language import tr
from asd.progress import ProgressBar

_CHUNK_FRAMES = 4_100
"""Frames that pass through a network at once, 13 clips of ten seconds: larger chunks leave the
processor's cache, and memory must not grow with the batch size or the length of clips."""
_HELD_FRAMES = 80_000
"""Frames that may wait for clips of the same length, about 40 MB at 128 mel bands."""
_KEPT_FRAMES = 32_000
"""Frames of all clips up to which they are read once, about 16 MB at 128 mel bands: of short clips
each epoch would read for a tenth of its time."""


class TrainingConfig(DetectorConfig):
    """How a network is trained."""

    epochs: int = Field(100, ge=1)
    """Most epochs to train."""
    batch_size: int = Field(16, ge=1)
    """Clips an update of the weights."""
    learning_rate: Annotated[float, Search(0.0001, 0.01, log=True)] = Field(1e-3, gt=0, le=1)
    """Step size of Adam."""
    patience: int = Field(20, ge=0)
    """Epochs without a better validation loss after which training stops; 0 for never."""
    gradient_clip: float = Field(1.0, ge=0)
    """Longest gradient (Euclidean norm over all weights); 0 for any length."""
    precision: Literal["auto", "float32"] = "auto"
    """`auto` trains with bfloat16 products where the processor has them (AMX, AVX-512 BF16);
    `float32` gives the same weights on more machines. Scores are always computed in float32."""


@dataclass(frozen=True)
class Task:
    """What is trained: a network, what it should get right, and the clips."""

    name: str
    """Stands before progress and errors, as ``"model=cnn"``."""
    network: torch.nn.Module
    losses: Callable[[torch.Tensor], torch.Tensor]
    """Loss of each clip, ``(n,)``, from clips ``(n, n_mels, n_frames)``."""
    train: ClipSet
    valid: ClipSet
    """May be empty: then the best epoch is that of the lowest training loss."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device


def chunks(
    clips: ClipSet, order: Iterable[int], most: int, where: torch.device
) -> Iterator[torch.Tensor]:
    """The clips of `order` as tensors ``(n, n_mels, n_frames)``, clips of one length together.

    There are `most` clips in a chunk, or fewer where they are long. Each clip is read once, and
    what waits for others of its length is bounded, so that memory does not grow with the data set.
    """
    waiting: dict[tuple[int, ...], list[Spectrogram]] = {}
    held = 0
    for index in order:
        clip = clips[index]
        alike = waiting.setdefault(clip.shape, [])
        alike.append(clip)
        held += clip.shape[1]
        if len(alike) == most or (len(alike) + 1) * clip.shape[1] > _CHUNK_FRAMES:
            held -= len(alike) * clip.shape[1]
            yield _stack(waiting.pop(clip.shape)).to(where)
        elif held > _HELD_FRAMES:
            fullest = max(waiting, key=lambda shape: len(waiting[shape]) * shape[1])
            held -= len(waiting[fullest]) * fullest[1]
            yield _stack(waiting.pop(fullest)).to(where)
    yield from (_stack(alike).to(where) for alike in waiting.values())


def _share(n_clips: int, n_frames: int, workers: int) -> int:
    """Clips a chunk so that all workers have as much to do, in as few rounds as memory allows.

    Examples
    --------
    >>> _share(16, 313, 2), _share(75, 313, 2), _share(1, 313, 2)
    (8, 13, 1)
    """
    at_once = workers * max(1, _CHUNK_FRAMES // n_frames)
    rounds = -(-n_clips // at_once)
    return -(-n_clips // (workers * rounds))


def _stack(clips: list[Spectrogram]) -> torch.Tensor:
    return torch.from_numpy(np.stack(clips).astype(np.float32, copy=False))


def _kept(clips: ClipSet) -> ClipSet:
    """The same clips, in memory where they are few."""
    kept: list[Spectrogram] = []
    left = _KEPT_FRAMES
    for clip in clips:
        left -= clip.shape[1]
        if left < 0:
            return clips
        kept.append(clip)
    return ClipSet(kept)


def train_network(
    task: Task, config: TrainingConfig, seed: int, context: FitContext
) -> list[dict[str, float]]:
    """Train a network with Adam and leave it with the weights of its best epoch.

    An update's gradient is that of the mean loss over the clips of a batch, gathered chunk by
    chunk. The order of the clips comes from `seed` and the number of the epoch alone, so that a
    training that goes on from a checkpoint takes the same path as one that was never stopped.

    Parameters
    ----------
    task : Task
        What to train.
    config : TrainingConfig
        How to train it.
    seed : int
        Seed of the order of clips.
    context : FitContext
        Its `on_epoch` is told ``train_loss``, ``valid_loss`` (where there are validation clips),
        ``learning_rate`` and ``clips_per_s`` once an epoch. Epochs of a resumed training that
        were finished before are told again first, so that the curves are whole.

    Returns
    -------
    list of dict
        The metrics of each epoch.

    Raises
    ------
    DetectorError
        The loss is not a finite number, or the checkpoint is that of another training.
    """
    keep_freed_memory()
    optimiser = torch.optim.Adam(task.network.parameters(), lr=config.learning_rate)
    progress = Progress()
    identity: dict[str, Any] = {}
    if context.checkpoint_dir is not None:
        identity = _identity(task, config, seed)
        progress = _checkpoint.resume(context.checkpoint_dir, identity, task.network, optimiser)
    for number, metrics in enumerate(progress.history, start=1):
        context.on_epoch(number, metrics)
    with (
        Workers(task.device, context.jobs) as workers,
        ProgressBar(
            total=config.epochs,
            initial=progress.epoch,
            desc=task.name,
            unit="epoch",
            disable=not context.progress,
        ) as bar,
    ):
        task = replace(task, train=_kept(task.train), valid=_kept(task.valid))
        step = _Step(task, config, optimiser, workers, task.train[0].shape[1])
        while progress.epoch < config.epochs and not _out_of_patience(progress, config):
            metrics = _epoch(step, seed, progress.epoch + 1)
            _note(progress, metrics, task.network)
            if context.checkpoint_dir is not None:
                _checkpoint.write(
                    context.checkpoint_dir, identity, progress, task.network, optimiser
                )
            bar.set_postfix(loss=_judged(metrics), best=progress.best_loss, refresh=False)
            bar.update()
            context.on_epoch(progress.epoch, metrics)
    task.network.load_state_dict(progress.best)
    return progress.history


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """Number, from 1, of the first epoch with the lowest loss that epochs are compared by."""
    losses = [_judged(metrics) for metrics in history]
    return losses.index(min(losses)) + 1


@dataclass(frozen=True)
class _Step:
    """What each step of a training needs."""

    task: Task
    config: TrainingConfig
    optimiser: torch.optim.Optimizer
    workers: Workers
    n_frames: int
    """Of a clip; the others are taken to be about as long."""


def _epoch(step: _Step, seed: int, number: int) -> dict[str, float]:
    task, config = step.task, step.config
    started = time.perf_counter()
    order = np.random.default_rng([seed, number]).permutation(len(task.train)).tolist()
    size = config.batch_size
    task.network.train()
    with _repeatable(task.device):
        total = sum(_update(step, order[at : at + size]) for at in range(0, len(order), size))
    seconds = time.perf_counter() - started
    metrics = {"train_loss": total / len(order)}
    if len(task.valid):
        metrics["valid_loss"] = _mean_loss(step)
    if not all(map(math.isfinite, metrics.values())):
        raise DetectorError(
            tr(
                "{name}: the loss in epoch {number} is not a finite number; lower "
                "detector.learning_rate ({learning_rate:g}) or set "
                "detector.gradient_clip=1",
                name=task.name,
                number=number,
                learning_rate=config.learning_rate,
            )
        )
    rate = float(step.optimiser.param_groups[0]["lr"])
    return metrics | {"learning_rate": rate, "clips_per_s": len(order) / seconds}


def _update(step: _Step, batch: list[int]) -> float:
    """One step of the optimiser; the sum of the losses of the batch's clips."""
    task = step.task
    parameters = list(task.network.parameters())

    def descend(clips: torch.Tensor) -> tuple[float, tuple[torch.Tensor, ...]]:
        with _fast_products(clips.device, step.config.precision):
            loss = task.losses(clips).sum()
        return float(loss.detach()), torch.autograd.grad(loss / len(batch), parameters)

    step.optimiser.zero_grad()
    total = 0.0
    most = _share(len(batch), step.n_frames, step.workers.count)
    for loss, gradients in step.workers.map(descend, chunks(task.train, batch, most, task.device)):
        total += loss
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    if step.config.gradient_clip:
        torch.nn.utils.clip_grad_norm_(parameters, step.config.gradient_clip)
    step.optimiser.step()
    return total


def _mean_loss(step: _Step) -> float:
    """Mean loss of the validation clips, in float32."""
    task = step.task

    def judge(clips: torch.Tensor) -> float:
        with torch.inference_mode():
            return float(task.losses(clips).sum())

    task.network.eval()
    most = _share(len(task.valid), step.n_frames, step.workers.count)
    sums = step.workers.map(judge, chunks(task.valid, range(len(task.valid)), most, task.device))
    return math.fsum(sums) / len(task.valid)


def _judged(metrics: Mapping[str, float]) -> float:
    """The loss by which epochs are compared."""
    return metrics.get("valid_loss", metrics["train_loss"])


def _note(progress: Progress, metrics: dict[str, float], network: torch.nn.Module) -> None:
    progress.history.append(metrics)
    if _judged(metrics) < progress.best_loss:
        progress.best_loss = _judged(metrics)
        progress.best_epoch = progress.epoch
        progress.best = {key: value.clone() for key, value in network.state_dict().items()}


def _out_of_patience(progress: Progress, config: TrainingConfig) -> bool:
    waited = progress.epoch - progress.best_epoch
    return 0 < config.patience <= waited


def _identity(task: Task, config: TrainingConfig, seed: int) -> dict[str, Any]:
    """What must be the same for a training to go on; more epochs may be asked for."""
    digest = hashlib.sha256()
    for side in (task.train, task.valid):
        for clip in side:
            digest.update(f"{clip.shape}".encode() + np.ascontiguousarray(clip[:, 0]).tobytes())
    settings = config.model_dump(mode="json", exclude={"epochs", "patience"})
    return {"data": digest.hexdigest(), "seed": seed, "model": task.name} | {
        f"detector.{key}": value for key, value in settings.items()
    }


def _repeatable(where: torch.device) -> AbstractContextManager[Any]:
    """The same sums each time; told to CUDA alone, since all threads of a process share it."""
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    return flags if where.type == "cuda" else nullcontext()


def _fast_products(where: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 where that is faster; elsewhere it is many times slower."""
    known = torch.cpu.get_capabilities()
    fast = where.type == "cpu" and any(known.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return torch.autocast(where.type, torch.bfloat16, enabled=fast and precision == "auto")
