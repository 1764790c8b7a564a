"""The server runs the code and the files that were logged, and no others."""

import importlib.util
import marshal
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.serving.asking import logged_model

if TYPE_CHECKING:
    from tests.e2e.conftest import Ran

pytestmark = pytest.mark.e2e

LOAD = """\
import pathlib, sys, mlflow

def load():
    try:
        model = mlflow.pyfunc.load_model(sys.argv[1]).unwrap_python_model()
        print("loaded", model.pipeline.threshold.value)
    except mlflow.exceptions.MlflowException as error:
        print("refused", str(error).replace("\\n", " "))

load()
for path in map(pathlib.Path, sys.argv[2:]):
    before = path.read_text(encoding="utf-8")
    path.write_text(before + " ", encoding="utf-8")
    load()
    path.write_text(before, encoding="utf-8")
load()
"""


def test_the_server_has_only_the_code_that_was_logged(
    stranger: tuple[Path, dict[str, str]],
) -> None:
    folder, without = stranger
    done = subprocess.run(
        [sys.executable, "-c", "import asd"], cwd=folder, env=without, capture_output=True
    )
    assert b"No module named 'asd'" in done.stderr


def test_a_server_runs_the_files_that_were_logged_and_no_others(
    journey: "dict[str, Ran]", stranger: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, without = stranger
    ran = journey["train"]
    uri, model = logged_model(journey)

    # Byte code whose header says that it belongs to the source beside it, which is untouched.
    source = model / "code/asd/errors.py"
    mark = tmp_path / "byte code has run"
    poison = compile(f"open({str(mark)!r}, 'w')\n{source.read_text()}", str(source), "exec")
    stat = source.stat()
    head = struct.pack("<III", 0, int(stat.st_mtime), stat.st_size & 0xFFFFFFFF)
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(importlib.util.MAGIC_NUMBER + head + marshal.dumps(poison))
    changed = [
        str(model / name) for name in ("artifacts/pipeline/pipeline.json", "code/asd/text.py")
    ]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, *changed],
        cwd=folder,
        env=without | {"MLFLOW_TRACKING_URI": ran.store},
        capture_output=True,
        text=True,
    )
    cached.unlink()
    answers = [line for line in done.stdout.splitlines() if line.startswith(("loaded", "refused"))]
    assert [line.split()[0] for line in answers] == ["loaded", "refused", "refused", "loaded"]
    assert all("its files are not those that were logged" in line for line in answers[1:3])
    assert not mark.exists()
