"""Folders in which steps run, are ended and given again, and what is found there afterwards."""

import multiprocessing
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from asd.locks import hold, release
from tests.faults.child import Command, run

PROJECT = Path(__file__).resolve().parents[2]
_ENDING_S = 30.0
"""Within this time, what a killed process has started is to end."""
_TIMED = ("seconds", "latency", "_ms", "per_s")
"""Metrics that differ from run to run."""
_ONCE = ("reload_difference",)
"""Metrics that are not measured again of a model that is champion already."""
_OF_RUNS = ("report.html", "made.json", "MLmodel", "registered_model_meta", ".journal")
"""Files that say when, and by which run, they were made."""


def fork_server() -> Any:
    """A server that has imported what steps need, and forks: each costs little over itself."""
    os.environ["PYTHONPATH"] = str(PROJECT)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warm"])
    return context


_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Where a store keeps the whole paths of artifacts."""


class Place:
    """A folder with an MLflow store of its own."""

    def __init__(self, root: Path, server: Any) -> None:
        self.root = root
        self.jobs = 1
        self._server = server
        (root / "tmp").mkdir(parents=True, exist_ok=True)

    def copy_of(self, other: Path) -> "Place":
        """Make this a copy of another place; its store finds its artifacts here."""
        shutil.copytree(other, self.root, dirs_exist_ok=True)
        with closing(sqlite3.connect(self.root / "mlflow.db")) as connection:
            for table, column in _ADDRESSES:
                connection.execute(
                    f"update {table} set {column} = replace({column}, ?, ?)",
                    (str(other), str(self.root)),
                )
            connection.commit()
        return self

    def begin(self, *words: str, **ending: Any) -> ForkServerProcess:
        """Start a step, and do not wait for it."""
        command = Command(self.root, words, self.log(words), self.jobs)
        process: ForkServerProcess = self._server.Process(
            target=run, args=(replace(command, **ending),)
        )
        process.start()
        return process

    def end(self, process: ForkServerProcess) -> int:
        """Wait for a step and for what it has started; its exit code, or minus the signal."""
        process.join()
        assert process.pid is not None
        assert process.exitcode is not None
        until = time.monotonic() + _ENDING_S
        while members := session(process.pid):
            assert time.monotonic() < until, f"its processes go on: {members}"
            time.sleep(0.05)
        return process.exitcode

    def run(self, *words: str, **ending: Any) -> int:
        """Run a step to its end, whatever that is."""
        return self.end(self.begin(*words, **ending))

    def do(self, *words: str) -> None:
        """Run a step that has to succeed."""
        code = self.run(*words)
        assert code == 0, f"{words}: {code}\n{self.said(words)}"

    def changes(self, *words: str) -> int:
        """Run a step that has to succeed; how many changes it makes."""
        noted = self.root.with_name("changes")
        code = self.run(*words, changes=noted)
        assert code == 0, self.said(words)
        return int(noted.read_text())

    def log(self, words: tuple[str, ...]) -> Path:
        """Where a step writes what it says."""
        return self.root.with_name(f"{words[0]}.log")

    def said(self, words: tuple[str, ...]) -> str:
        """What a step has said."""
        return self.log(words).read_text(encoding="utf-8", errors="replace")

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Ask the database; nothing where it is not there yet."""
        if not (self.root / "mlflow.db").exists():
            return []
        with closing(sqlite3.connect(self.root / "mlflow.db")) as connection:
            return connection.execute(text).fetchall()

    def result(self, step: str, output: str) -> dict[str, Any]:
        """What a step has made: files, metrics, its model, and the registry."""
        last = (
            "select r.run_uuid from runs r join tags t on t.run_uuid = r.run_uuid and t.key = "
            f"'asd.step' and t.value = '{step}' where r.status = 'FINISHED' "
            "order by r.end_time desc limit 1"
        )
        found: dict[str, Any] = files_below(self.root / output) if output else {}
        rows = self.query(f"select key, value from latest_metrics where run_uuid in ({last})")
        if not output:  # a data set that is there already is reported without figures
            found |= {k: round(v, 9) for k, v in rows if not any(t in k for t in (*_TIMED, *_ONCE))}
        models = "select artifact_location from logged_models where source_run_id"
        for (address,) in self.query(f"{models} in ({last})"):
            found |= files_below(Path(address.removeprefix("file://")) / "artifacts")
        found |= dict(self.query("select alias, version from registered_model_aliases"))
        found["versions"] = self.query("select count(*) from model_versions")[0][0]
        return found

    def running(self) -> list[tuple[Any, ...]]:
        """Runs that are RUNNING."""
        return self.query("select name from runs where status in ('RUNNING', 'SCHEDULED')")

    def left(self, checkpoints: bool = True) -> list[str]:
        """Unfinished and temporary files, and locks that somebody holds; checkpoints if wanted."""
        begun = (".partial", ".old")
        found = [path for path in self.root.rglob(".*") if path.name.startswith(begun)]
        found += [path for path in (self.root / "tmp").iterdir() if "matplotlib" not in path.name]
        found += self.root.glob(".cache/alive/*")
        found += self.root.glob(".cache/checkpoints/*/*") if checkpoints else []
        return sorted(str(path.relative_to(self.root)) for path in found) + self._held()

    def _held(self) -> list[str]:
        held = []
        for path in self.root.rglob("*.lock"):
            if (handle := hold(path)) is None:
                held.append(f"held: {path}")
            else:
                release(handle)
        return held


def files_below(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but for those that no two runs make alike."""
    files: Iterable[Path] = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        f"{folder.name}/{file.relative_to(folder)}": file.read_bytes()
        for file in files
        if not any(name in file.name for name in _OF_RUNS)
    }


def session(leader: int) -> list[int]:
    """Living processes of the session that a process has begun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, number, *_ = path.read_text().rpartition(")")[2].split()
            if int(number) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found
