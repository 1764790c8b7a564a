"""A fork server for all, folders in which commands have been run, and the table at the end."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asd.audio.encode import write_wav
from asd.detectors.cnn import ConvAutoencoder
from tests.faults.place import Place, fork_server

RATE = 8000
Commands = tuple[tuple[str, ...], ...]


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """Give what starts steps."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "ASD_LANG"):
            patch.delenv(name, raising=False)
        patch.setenv("LC_ALL", "C.UTF-8")
        yield fork_server()


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory, server: Any) -> Callable[[Commands], Path]:
    """Give a folder in which these commands have been run; made once each."""
    folder = tmp_path_factory.mktemp("begun")
    made: dict[Commands, Path] = {}

    def make(commands: Commands) -> Path:
        if commands in made:
            return made[commands]
        place = folder / str(len(made)) / "p"
        made[commands] = place
        if commands:
            Place(place, server).copy_of(make(commands[:-1])).do(*commands[-1])
        else:
            recordings(place / "source")
            torch.save(ConvAutoencoder(4).state_dict(), place / "original.pth")
            Place(place, server).do("preprocess", "--source=source", "--dry_run=true")
        return place

    return make


@pytest.fixture
def place_of(
    begun: Callable[[Commands], Path], server: Any, tmp_path: Path
) -> Callable[[Commands], Place]:
    """Give a fresh copy, always under one path, of a folder in which commands have been run."""

    def fresh(commands: Commands) -> Place:
        shutil.rmtree(tmp_path / "at", ignore_errors=True)
        return Place(tmp_path / "at" / "p", server).copy_of(begun(commands))

    return fresh


@pytest.fixture
def row(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Give what shows a row of the table in docs/reliability.md."""

    def show(*cells: object) -> None:
        with capsys.disabled():
            sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")

    return show


def recordings(folder: Path) -> None:
    """Ten recordings of a hum, and four of something else."""
    rng = np.random.default_rng(0)
    rows = ["file,label,split"]
    for index in range(14):
        t = np.arange(2 * RATE) / RATE
        knock = index >= 10
        signal = 0.2 * np.sin(2 * np.pi * (1500 if knock else 200) * t)
        write_wav(folder / f"r{index:02d}.wav", signal + 0.02 * rng.standard_normal(len(t)), RATE)
        rows.append(f"r{index:02d}.wav,{'anomaly,test' if knock else 'normal,'}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
