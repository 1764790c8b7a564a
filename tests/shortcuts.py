"""What takes most of the time of a step and has tests of its own, left out of tests of steps."""

import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from mlflow.store.db import utils
from PIL import Image
from sqlalchemy import Engine, event

from asd.evaluation import answer, evaluation, gates, plots
from asd.evaluation.bootstrap import auc_interval, paired_bootstrap
from asd.evaluation.page import cases
from asd.evaluation.page.cases import chosen_rows
from asd.search import pseudo_anomalies
from asd.tracking.models import ModelRef, load


def take(patch: pytest.MonkeyPatch) -> None:
    """Let steps draw nothing, make little, and load no model in a new process.

    tests/evaluation draws every figure and whole pages, tests/e2e those of whole runs;
    tests/steps/test_gates.py loads a model in a new process.
    """
    make_little(patch)
    blank = Figure()
    blank.subplots()
    for name in filter(str.islower, plots.__all__):
        patch.setattr(plots, name, lambda *_, **__: blank)
    patch.setattr(Figure, "savefig", _no_picture)
    patch.setattr("asd.tracking.fresh.fresh_scores", scores_here)


def draw_less(patch: pytest.MonkeyPatch) -> None:
    """Take intervals from 50 draws, where tests/evaluation takes them from as many as users do."""
    patch.setattr(evaluation, "auc_interval", partial(auc_interval, n=50))
    for module in (answer, gates):
        patch.setattr(module, "paired_bootstrap", partial(paired_bootstrap, n=50))


def look_once(patch: pytest.MonkeyPatch) -> None:
    """Let MLflow read its 60 migrations once a process, and not with each store."""
    patch.setattr(utils, "_get_latest_schema_revision", cache(utils._get_latest_schema_revision))


@contextmanager
def no_wait_for_the_disk() -> Iterator[None]:
    """Let databases of tests be handed to the system, without waiting until the disk has them."""

    def hurry(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)


def make_little(patch: pytest.MonkeyPatch) -> None:
    """Show one clip of a kind, with an empty picture, and make few pseudo-anomalies."""
    patch.setattr(plots, "Explanations", lambda *_: lambda *_: np.zeros((1, 1, 4), np.uint8))
    patch.setattr(cases, "chosen_rows", partial(chosen_rows, most=1))
    patch.setattr(pseudo_anomalies, "LEAST", 12)


def scores_here(model: ModelRef, files: Sequence[Path]) -> list[float]:
    """What `asd.tracking.fresh.fresh_scores` gives, from this process."""
    pipeline = load(model)
    return [pipeline.judge(path).anomaly_score for path in files]


def _no_picture(figure: Figure, target: str | io.BytesIO, **_: object) -> None:
    if isinstance(target, io.BytesIO):  # for MLflow, which decodes it
        Image.new("RGB", (1, 1)).save(target, "PNG")
    else:
        Path(target).touch()
