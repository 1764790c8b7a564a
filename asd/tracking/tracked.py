"""What a step logs to its MLflow run: params, metrics, data set inputs, figures and files."""

import io
import logging
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import PandasDataset, from_pandas
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from PIL import Image

import asd
from asd.data.manifest import COLUMNS, Dataset
from asd.language import tr
from asd.text import printable, printable_lines
from asd.tracking.store import client

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECONDS_PARAM = "data.seconds"
"""Length of the data set that a step worked on."""
NAME_TAG = "mlflow.runName"
_MAX_PARAM = 6000
_MAX_BATCH = 1000

logger = logging.getLogger(__name__)


class TrackedRun:
    """The active MLflow run of a step."""

    def __init__(self, run_id: str, nested: bool) -> None:
        self.run_id = run_id
        self._nested = nested

    def rename(self, name: str) -> None:
        """Give the run another name in the UI."""
        mlflow.set_tag(NAME_TAG, printable(name))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        mlflow.set_tags({key: printable_lines(value) for key, value in tags.items()})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log params, but for those that the run has already.

        MLflow logs what stood on its command line itself, quoted as for a shell, and fails a
        run that spells a param in two ways.
        """
        known = client().get_run(self.run_id).data.params
        mlflow.log_params({k: v for k, v in as_logged(params).items() if k not in known})

    def log_metrics(
        self,
        metrics: Mapping[str, float],
        step: int | None = None,
        model_id: str | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Log metrics to the run and, where `model_id` is given, to that model."""
        logged = None if dataset is None else _as_mlflow(dataset)
        mlflow.log_metrics(dict(metrics), step=step, model_id=model_id, dataset=logged)

    def log_history(self, history: Mapping[int, Mapping[str, float]]) -> None:
        """Log the metrics of all steps at once, step by step."""
        now = int(1000 * time.time())
        entries = [
            Metric(key, value, now, step)
            for step, metrics in history.items()
            for key, value in metrics.items()
        ]
        for start in range(0, len(entries), _MAX_BATCH):
            client().log_batch(self.run_id, metrics=entries[start : start + _MAX_BATCH])

    def log_input(self, dataset: Dataset, context: str) -> None:
        """Log a data set, or a side of one, as an input; `context` says what it is for."""
        logged = _as_mlflow(dataset)
        try:
            mlflow.log_input(logged, context=context)
        except MlflowException as error:
            if "constraint" not in str(error).lower():
                raise
            # Another process has logged the same data set in the same moment: now it is there.
            mlflow.log_input(logged, context=context)

    def log_figures(self, figures: "Mapping[str, Figure]", grid: Collection[str] = ()) -> None:
        """Log figures as ``plots/<name>.png``.

        Parameters
        ----------
        figures : mapping of str to Figure
            By name; each is drawn once.
        grid : collection of str
            Names of those that MLflow shows in a grid across runs as well.
        """
        if not figures:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in figures.items():
                drawn = io.BytesIO()
                figure.savefig(drawn, format="png")
                (Path(folder) / f"{name}.png").write_bytes(drawn.getvalue())
                if name in grid:
                    mlflow.log_image(Image.open(drawn), key=name, step=0, synchronous=True)
            self.log_files(Path(folder), "plots")

    def lineage(self) -> dict[str, str]:
        """Which run it is and what code it runs, by name."""
        tags = client().get_run(self.run_id).data.tags
        commit = tags.get("mlflow.source.git.commit", "")
        code = f"asd {asd.__version__}" + (f", {commit[:12]}" if commit else "")
        return {"Run": self.run_id, "Code": code}

    def log_json(self, values: Mapping[str, Any], path: str) -> None:
        """Log values as a JSON file."""
        mlflow.log_dict(dict(values), path)

    def log_text(self, text: str, path: str) -> None:
        """Log a text file."""
        mlflow.log_text(printable_lines(text), path)

    def log_files(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all files of a folder."""
        if path.is_dir():
            mlflow.log_artifacts(str(path), folder)
        else:
            mlflow.log_artifact(str(path), folder)

    def report(self, *lines: str, after: str = "") -> None:
        """Say to the user what was made, and keep it as ``report.txt``.

        `after` is what to do next; it is not said by a step that is part of another one.
        """
        plain = [printable(line) for line in lines]
        for line in plain:
            logger.log(_level(line), "%s", line)
        if after and not self._nested:
            logger.info(tr("next: {command}", command=printable(after)))
        mlflow.log_text("\n".join(plain) + "\n", "report.txt")


def data_params(dataset: Dataset) -> dict[str, Any]:
    """What identifies a data set, under the same names in all runs."""
    return {
        "data.name": dataset.name,
        "data.digest": dataset.digest,
        "data.clips": len(dataset.clips),
        SECONDS_PARAM: round(dataset.seconds(), 1),
    }


def _as_mlflow(dataset: Dataset) -> PandasDataset:
    frame = pd.DataFrame([clip.model_dump() for clip in dataset.clips], columns=list(COLUMNS))
    frame = frame.astype({"noise_gain_db": "float64"})
    source = printable(str(dataset.root.resolve()))
    return from_pandas(frame, source=source, name=dataset.name, digest=dataset.digest)


def as_logged(params: Mapping[str, Any]) -> dict[str, str]:
    """Params as a run keeps them."""
    return {key: _text(value) for key, value in params.items()}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return printable(str(value))[:_MAX_PARAM]


def _level(line: str) -> int:
    """How loud a line of a report is: what limits a result is a warning."""
    mark = tr("warning: {warning}", warning="")
    return logging.WARNING if line.startswith(mark) else logging.INFO
