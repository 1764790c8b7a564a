"""A server that follows a promotion: it is started anew with each new champion."""

import contextlib
import logging
import os
import signal
import socket
import subprocess  # nosec B404 # MLflow's own command, in no shell
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from mlflow.exceptions import MlflowException
from prometheus_client import CollectorRegistry, Counter, Gauge

from asd.errors import AsdError, ServerError
from asd.language import tr
from asd.tracking import registry
from asd.tracking.models import check_files, drop_byte_code
from asd.tracking.store import first_line

logger = logging.getLogger(__name__)

_PATIENCE_S = 300.0
"""Time for a server to load its model, with torch and MLflow, on a busy machine."""
_GRACE_S = 30.0
"""Time for a server to answer the requests that it has."""


class Follower:
    """Runs ``mlflow models serve`` for the champion of a machine.

    The files of a model are compared with their digest by the package that is installed here, and
    not by the model itself, and byte code beside them is removed: nothing that was put there after
    the model was logged runs.

    Parameters
    ----------
    name : str
        The machine: the registered model.
    host, port : str, int
        Where the server listens.
    command : callable, optional
        Words that start a server, from the address of a model.
    """

    def __init__(
        self, name: str, host: str, port: int, command: Callable[[str], list[str]] | None = None
    ) -> None:
        self.name = name
        self._address = (host, port)
        self._ping = f"http://{host}:{port}/ping"
        self._command = command or (lambda uri: serve_words(uri, host, port))
        self._process: subprocess.Popen[bytes] | None = None
        self._version: str | None = None
        self._refused: str | None = None
        self._wake, self._stop = threading.Event(), threading.Event()
        self._turning = threading.Lock()
        self.figures = CollectorRegistry()
        self._up = Gauge("asd_server_up", "Whether a server answers.", registry=self.figures)
        self._serving = Gauge(
            "asd_server_version", "Version that is served; 0 for none.", registry=self.figures
        )
        self._starts = Counter("asd_server_starts", "Starts of a server.", registry=self.figures)
        self._up.set_function(self._answers)

    def run(self, every_s: float) -> None:
        """Serve and follow until `stop` is called.

        Parameters
        ----------
        every_s : float
            Seconds after which the registry is looked at without being told to.

        Raises
        ------
        AsdError
            There is no champion, its files are not those that were logged, or no server starts.
        """
        try:
            with self._turning:
                self._turn_to(self._champion())
            while not self._stop.is_set():
                self._wake.wait(every_s)
                self._wake.clear()
                if not self._stop.is_set():
                    self.look()
        finally:
            self._end()

    def wake(self) -> None:
        """Let the registry be looked at now."""
        self._wake.set()

    def stop(self) -> None:
        """End the server, and `run`."""
        self._stop.set()
        self._wake.set()

    def look(self) -> None:
        """Start the server anew where there is another champion, or where it has ended.

        What goes wrong is logged: the server in service stays as it is.
        """
        try:
            with self._turning:
                version = self._champion()
                alive = self._process is not None and self._process.poll() is None
                if (alive and version == self._version) or version == self._refused:
                    return
                self._turn_to(version)
        except MlflowException as error:
            logger.error("the registry cannot be asked: %s", first_line(error))
        except AsdError as error:
            logger.error("%s", error)

    def _champion(self) -> str:
        version = registry.holders(self.name).champion
        if version is None:
            raise ServerError(tr("{name}: has no champion; make one with promote", name=self.name))
        return version

    def _turn_to(self, version: str) -> None:
        # One that cannot be trusted is tried again only once another was champion.
        self._refused = version
        drop_byte_code(check_files(registry.model_of(self.name, version)))
        self._refused = None
        self._end()
        check_free(*self._address)
        uri = f"models:/{self.name}/{version}"
        logger.info("serving %s", uri)
        self._process = subprocess.Popen(  # nosec B603 # no shell; the address is a name of a model
            self._command(uri),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,  # MLflow's server has children
        )
        self._version = version
        self._starts.inc()
        self._serving.set(float(version))
        self._await_answer(uri)

    def _await_answer(self, uri: str) -> None:
        process, until = self._process, time.monotonic() + _PATIENCE_S
        while process is not None and not self._stop.is_set() and not self._answers():
            if process.poll() is not None or time.monotonic() > until:
                self._end()
                raise ServerError(tr("{uri}: no server starts; its output says why", uri=uri))
            self._stop.wait(0.2)

    def _answers(self) -> bool:
        try:
            return requests.get(self._ping, timeout=5).ok
        except requests.RequestException:
            return False

    def _end(self) -> None:
        process, self._process, self._version = self._process, None, None
        self._serving.set(0)
        if process is None:
            return
        for number, grace_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            try:
                process.wait(grace_s)
            except subprocess.TimeoutExpired:
                continue
            return


def check_free(host: str, port: int) -> None:
    """Refuse a port on which another program listens.

    Raises
    ------
    ServerError
        It is taken, or there is no such address.
    """
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ServerError(
            tr(
                "{host}:{port}: cannot be listened on ({error}); give another port, "
                "or end what listens there",
                host=host,
                port=port,
                error=error,
            )
        ) from error


def serve_words(uri: str, host: str, port: int) -> list[str]:
    """The command that serves a model in this environment.

    Parameters
    ----------
    uri : str
        Address of the model.
    host, port : str, int
        Where it listens.
    """
    mlflow = Path(sys.executable).with_name("mlflow")
    words = [str(mlflow), "models", "serve", "-m", uri, "--env-manager", "local"]
    return [*words, "-h", host, "-p", str(port)]
