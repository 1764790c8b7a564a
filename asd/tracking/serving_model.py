"""What MLflow runs first of a model: its files are checked before any other of them runs."""

import logging
import sys
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

_FOLDER = Path(__file__).resolve().parent


class _SourceLoader(SourceFileLoader):
    """Imports from the source, never from byte code beside it.

    Python takes byte code for that of a source that has the time and the size it names, whatever
    it does; the digest does not cover it, as every import may write it.
    """

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _import_from_source(code: Path) -> None:
    finder = FileFinder.path_hook((_SourceLoader, [".py"]))

    def hook(path):
        if not Path(path).resolve().is_relative_to(code):
            raise ImportError(path)
        return finder(path)

    sys.path_hooks.insert(0, hook)
    for path in list(sys.path_importer_cache):
        if Path(path).resolve().is_relative_to(code):
            del sys.path_importer_cache[path]


def _check(folder: Path) -> None:
    from asd.tracking.digest import changed, recorded_digest

    model_id = mlflow.models.Model.load(str(folder)).model_id
    recorded = recorded_digest(model_id) if model_id else None
    if recorded is None:
        logging.getLogger(__name__).warning(
            "no MLflow store knows this model: its files are not checked; set MLFLOW_TRACKING_URI"
        )
    elif reason := changed(f"models:/{model_id}", folder, recorded):
        raise MlflowException(reason)


# Beside the package's other files, where it is logged from, there is no model to check.
if (_FOLDER / "MLmodel").is_file():
    _import_from_source(_FOLDER / "code")
    _check(_FOLDER)

from asd.tracking.serving import AsdModel  # noqa: E402

mlflow.models.set_model(AsdModel())
