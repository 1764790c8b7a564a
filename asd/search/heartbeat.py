"""Who is at work on a study: each process gives signs of life, by which the others know it."""

import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import optuna

INTERVAL_S = 5.0
"""Seconds from one sign of life to the next."""
STALE_S = 60.0
"""Seconds without one after which a process of another machine counts as dead."""

logger = logging.getLogger(__name__)

_KEY = "alive:"
_GONE = "gone"


class Heartbeat:
    """The signs of life of this process, and what is known of the others.

    The signs are attributes of the study, so that they reach as far as its storage. They are
    counters: whether one still moves is judged by the clock of who looks, not by comparing clocks.
    A process of this machine is known to be dead as soon as the system knows it.

    Parameters
    ----------
    study : optuna.Study
        Where the signs are kept.

    Attributes
    ----------
    name : str
        Of this process: machine, process id and a random part.
    """

    def __init__(self, study: optuna.Study) -> None:
        self.name = f"{_machine()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        self._study = study
        self._seen: dict[str, tuple[object, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._study.set_user_attr(_KEY + self.name, 0)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._study.set_user_attr(_KEY + self.name, _GONE)

    def dead(self, name: str) -> bool:
        """Whether a process has ended; one without signs of life is given `STALE_S` seconds."""
        if name == self.name:
            return False
        sign = self._study.user_attrs.get(_KEY + name)
        if sign == _GONE or _ended_here(name):
            return True
        now = time.monotonic()
        before, since = self._seen.get(name, (None, now))
        if name not in self._seen or sign != before:
            self._seen[name] = (sign, now)
            return False
        return now - since > STALE_S

    def killed(self, name: str) -> bool:
        """Whether a process has ended without leaving the study first.

        One that has left, and still runs as far as is known, may be ending its MLflow run.
        """
        if self._study.user_attrs.get(_KEY + name) == _GONE:
            return _ended_here(name)
        return self.dead(name)

    def _beat(self) -> None:
        count = 0
        while not self._stop.wait(INTERVAL_S):
            count += 1
            try:
                self._study.set_user_attr(_KEY + self.name, count)
            except optuna.exceptions.StorageInternalError as error:
                logger.warning("no sign of life could be given (%s); trying again", error)


def _machine() -> str:
    """The machine, or the container: a process id means something within it only."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a link that leads nowhere
    except OSError:
        space = 0
    return f"{socket.gethostname()}-{uuid.getnode():x}-{space:x}"


def _ended_here(name: str) -> bool:
    """Whether this machine ran the process of that name, and does so no more."""
    machine, process, *_ = f"{name}//".split("/")
    return machine == _machine() and not _runs(process)


def _runs(process: str) -> bool:
    if not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except ProcessLookupError:
        return False
    except OSError:  # another user's, or a system without /proc
        return True
    # One that has ended, but whose parent has not asked how, is a zombie.
    return not stat.rpartition(")")[2].lstrip().startswith("Z")
