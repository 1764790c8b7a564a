"""The digest over a model's files, which tells whether they are those that were logged.

Imports nothing but the standard library and MLflow: what it has not checked may not run before it.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

DIGEST_TAG = "asd.model_digest"
_ADDED_BY_LOADING = frozenset({"registered_model_meta", "__pycache__"})


def model_digest(folder: Path, without: str = "") -> str:
    """Digest over the names and bytes of all files, but for those that loading a model adds.

    Parameters
    ----------
    folder : Path
        A model as MLflow stores it.
    without : str
        Name of one more file that does not count.
    """
    total = hashlib.sha256()
    for parts, path in _files(str(folder), (), _ADDED_BY_LOADING | {without}):
        with open(path, "rb") as file:  # noqa: PTH123 - hundreds of them
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{'/'.join(parts)}\x1f{content}\x1e".encode())
    return total.hexdigest()


def _files(
    folder: str, above: tuple[str, ...], without: frozenset[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Names from the outermost folder on, and path, of each file that counts; in order."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # a folder that is gone or closed has no files, which is another digest
        return
    for entry in entries:
        if entry.name in without:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, (*above, entry.name), without)
        elif entry.is_file():
            yield (*above, entry.name), entry.path


def changed(uri: str, folder: Path, recorded: str) -> str:
    """What is wrong with the files of a model, as a line for the user; empty where nothing is.

    Parameters
    ----------
    uri : str
        What to call the model.
    folder : Path
        Its files.
    recorded : str
        The digest of its files when it was logged; empty where none was recorded.
    """
    digest = model_digest(folder)
    if digest == recorded:
        return ""
    return (
        f"{uri}: its files are not those that were logged (digest {digest[:16]}, recorded "
        f"{recorded[:16] or 'none'}); restore {folder} or train again"
    )


def recorded_digest(model_id: str) -> str | None:
    """The digest that the MLflow store knows of a model; None where it knows no such model."""
    uri = mlflow.get_tracking_uri()
    # A client would make the database that is not there.
    if uri.startswith("sqlite:") and not Path(uri.partition(":///")[2]).is_file():
        return None
    try:
        tags = mlflow.MlflowClient().get_logged_model(model_id).tags
    except MlflowException:
        return None
    return str(tags.get(DIGEST_TAG, ""))
