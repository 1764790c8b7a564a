"""The champion behind ``mlflow models serve``, from a folder that knows nothing of the project."""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import hostile

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

# An editable install would lend the server this checkout's package instead of the model's own.
WITHOUT_PACKAGE = """\
import sys

sys.meta_path = [
    finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")
]
"""


@pytest.fixture(scope="package")
def stranger(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> tuple[Path, dict[str, str]]:
    """A folder and an environment in which the package is not installed."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT_PACKAGE, encoding="utf-8")
    without = environment | {"PYTHONPATH": str(folder / "site")}
    return folder, without


@pytest.fixture(scope="package")
def server(
    journey: "dict[str, Ran]",
    stranger: tuple[Path, dict[str, str]],
    web_server: Callable[..., AbstractContextManager[str]],
) -> Iterator[str]:
    """The address of a running server of the champion."""
    folder, without = stranger
    champion = "models:/hum@champion"
    command = ["mlflow", "models", "serve", "-m", champion, "--env-manager", "local"]
    uri = {"MLFLOW_TRACKING_URI": journey["promote"].store}
    with web_server(command, "/ping", folder, without | uri) as address:
        yield address


@pytest.fixture(scope="package")
def evaluated(journey: "dict[str, Ran]", project: "Project") -> dict[Path, float]:
    """The test clips and the scores that `evaluate` gave them."""
    with (journey["evaluate"].artifacts / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {project.root / "data/hum" / row["path"]: float(row["anomaly_score"]) for row in rows}


@pytest.fixture(scope="package")
def knock(evaluated: dict[Path, float]) -> Path:
    """The clip with the highest score."""
    return max(evaluated, key=lambda path: evaluated[path])


@pytest.fixture
def connection(server: str) -> Iterator[hostile.Connection]:
    """A connection to the server, kept open during a test."""
    made = hostile.Connection(server)
    yield made
    made.close()
