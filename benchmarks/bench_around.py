"""What a command takes beside its work, as ratios to importing the libraries it stands on."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asd.arrays import Vector
from benchmarks.page import PROJECT, Row
from benchmarks.quiet import with_tools
from benchmarks.timing import ratio, turns

ROUNDS, DEMOS = 5, 3
PROGRAM = ("asd", "entrypoints", "configs", "MLproject", "python_env.yaml", "conda.yaml")
"""What `mlflow run` needs of the project."""
TRAIN = ("-m", "entrypoints.train")
RUN = ("-m", "mlflow", "run", ".", "--env-manager", "local")
USER_ERROR = 2


def rows() -> Iterator[Row]:
    """A row a command, run in a copy of the project: the store of this one stays as it is."""
    bare = ("-c", "import mlflow, torch, sklearn, matplotlib, av")
    commands = {
        "`python -m entrypoints.train --model=knn`": ((*TRAIN, "--model=knn"), 0, 1.4),
        "`mlflow run . -e train -P model=knn`": ((*RUN, "-e", "train", "-P", "model=knn"), 0, 2.6),
        "a wrong model": ((*TRAIN, "--model=knm"), USER_ERROR, 0.15),
        "a wrong folder": ((*TRAIN, "--data=nowhere"), USER_ERROR, 0.15),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        _copy_program(folder)
        _run(folder, commands["`python -m entrypoints.train --model=knn`"][0])  # makes the demo
        calls = [partial(_run, folder, words, code) for words, code, _ in commands.values()]
        imports = partial(_run, folder, bare)
        least, *taken = turns(imports, *calls, rounds=ROUNDS, repeats=1)
        yield "limit: `import mlflow, torch, sklearn, matplotlib, av`", f"{np.median(least):.1f} s"
        for (what, (_, _, aim)), times in zip(commands.items(), taken, strict=True):
            yield what, _told(times, least, aim)
        least, demo = turns(imports, partial(_run, folder, RUN), rounds=DEMOS, repeats=1)
        yield "the demo, `mlflow run .`", _told(demo, least, 12)


def _told(taken: Vector, least: Vector, aim: float) -> str:
    return f"{np.median(taken):.2f} s, {ratio(taken, least):.2f} times the imports (aim {aim:g})"


def _copy_program(folder: Path) -> None:
    folder.mkdir()
    for name in PROGRAM:
        source = PROJECT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)


def _run(folder: Path, words: Sequence[str], code: int = 0) -> None:
    kept = {key: value for key, value in with_tools().items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
