"""A real PostgreSQL and a real MLflow server on loopback; collected by ``make test-scale`` only."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = [] if "ASD_TEST_SCALE" in os.environ else ["test_*.py"]

PATIENCE_S = 180.0


def _binary(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    assert found, (
        f"PostgreSQL's {name} is not installed; run `make test-scale` as root, or install it"
    )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Give the URL of a fresh PostgreSQL server, up to the name of a database."""
    folder = Path(tempfile.mkdtemp(prefix="asd-postgres-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    port = _free_port()
    data, log = folder / "data", folder / "log"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [_binary("pg_ctl"), "-D", str(data), "-w", "-l", str(log)]
    init = [_binary("initdb"), "-D", str(data), "-U", "asd", "-A", "trust", "--no-sync"]
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(init, **quiet, **who)
    subprocess.run([*control, "-o", options, "start"], **quiet, **who)
    try:
        for name in ("mlflow", "sweeps"):
            where = ["-h", "127.0.0.1", "-p", str(port), "-U", "asd"]
            subprocess.run([_binary("createdb"), *where, name], **quiet)
        yield f"postgresql+psycopg2://asd@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet, **who)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def tracking_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of an MLflow server on that database, which hands artifacts through."""
    folder = tmp_path_factory.mktemp("server")
    address = f"http://127.0.0.1:{(port := _free_port())}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "2"]
    command += ["--backend-store-uri", f"{database}/mlflow", "--port", str(port)]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with running(command, folder, {}) as server:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(f"{address}/health"):
            log = (folder / "log").read_text()
            assert server.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.3)
        yield address


@contextmanager
def running(
    command: list[str], folder: Path, environment: dict[str, str]
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program in `folder` with its output in ``log``; ended with all its children."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "ASD_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"} | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give the function that finds a port of loopback on which nobody listens."""
    return _free_port


@pytest.fixture(scope="session")
def program() -> Callable[..., Any]:
    """Give the context manager that runs a program."""
    return running


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
