"""What a training must remember to go on after a kill as if nothing had happened."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from asd.errors import DetectorError, OutputError
from asd.files import atomic_path
from asd.language import tr

CHECKPOINT_NAME = "training.safetensors"

Weights = dict[str, torch.Tensor]

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a training is, apart from the weights and the optimiser themselves."""

    history: list[dict[str, float]] = field(default_factory=list)
    """Metrics of each finished epoch."""
    best_loss: float = float("inf")
    """The lowest loss so far, on validation clips where there are any."""
    best_epoch: int = 0
    """The epoch (from 1) that had it."""
    best: Weights = field(default_factory=dict)
    """The weights after that epoch."""

    @property
    def epoch(self) -> int:
        """The last finished epoch, 0 before the first."""
        return len(self.history)


def write(
    folder: Path,
    identity: Mapping[str, Any],
    progress: Progress,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Replace the checkpoint in `folder` by the present state, whole or not at all.

    One file holds all of it, so that a kill never leaves parts of two epochs side by side. Where
    it cannot be written, a warning says so: a training can do without.
    """
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in progress.best.items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value for key, value in moments.items()}
    header = {
        "identity": identity,
        "history": progress.history,
        "best_loss": progress.best_loss,
        "best_epoch": progress.best_epoch,
    }
    packed = {key: value.contiguous() for key, value in tensors.items()}
    try:
        with atomic_path(folder / CHECKPOINT_NAME) as partial:
            partial.write_bytes(save(packed, metadata={"progress": json.dumps(header)}))
    except OutputError as error:
        logger.warning(
            "epoch %d: the checkpoint is not kept (%s); the training goes on, and begins anew if "
            "it is stopped",
            progress.epoch,
            error,
        )


def resume(
    folder: Path,
    identity: Mapping[str, Any],
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> Progress:
    """Bring back what `write` wrote into `folder`; a fresh `Progress` where there is nothing.

    Raises
    ------
    DetectorError
        The checkpoint cannot be read, or is that of another training.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["progress"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise DetectorError(
            tr(
                "{path}: not a checkpoint ({error}); delete it to start anew",
                path=path,
                error=error,
            )
        ) from error
    other = [key for key, value in identity.items() if header["identity"].get(key) != value]
    if other:
        raise DetectorError(
            tr(
                "{path}: is of a training with another {other}; go on with the same "
                "or delete the checkpoint to start anew",
                path=path,
                other=", ".join(other),
            )
        )
    network.load_state_dict(_below("network", tensors))
    moments: dict[int, Weights] = {}
    for key, value in _below("optimiser", tensors).items():
        number, name = key.split(".", 1)
        moments.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return Progress(
        history=header["history"],
        best_loss=header["best_loss"],
        best_epoch=header["best_epoch"],
        best=_below("best", tensors),
    )


def _below(prefix: str, tensors: Weights) -> Weights:
    start = f"{prefix}."
    return {
        key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)
    }
