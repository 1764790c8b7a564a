"""What a request to the server may ask for, and what its cells hold."""

import base64
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from asd.errors import AudioError, ConfigError
from asd.language import tr

_URL_SAFE = str.maketrans("-_", "+/")
_SHARE_OF_TIMEOUT = 0.9
"""Of the time after which MLflow answers 504 by itself: what is done by then is still told."""


@dataclass(frozen=True)
class Limits:
    """How much a request may hold; checked while it is worked on."""

    rows: float = float("inf")
    """Rows that are judged; those behind them get an error each."""
    megabytes: float = float("inf")
    """Of a recording, as it is sent."""
    seconds: float = float("inf")
    """Length of a recording."""
    request_s: float = float("inf")
    """Seconds by the clock, of all rows together."""

    @classmethod
    def of_server(cls) -> "Limits":
        """The limits of ``mlflow models serve``, from the environment.

        ``ASD_MAX_ROWS`` (500), ``ASD_MAX_MEGABYTES`` (100), ``ASD_MAX_SECONDS`` (3600), and
        MLflow's own ``MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT`` (60, set by ``--timeout``).

        Raises
        ------
        ConfigError
            One of them is no number above 0.
        """
        return cls(
            rows=_number("ASD_MAX_ROWS", 500),
            megabytes=_number("ASD_MAX_MEGABYTES", 100),
            seconds=_number("ASD_MAX_SECONDS", 3600),
            request_s=_SHARE_OF_TIMEOUT * _number("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", 60),
        )


class Work:
    """The work on one request: ends when its time is over or the server ends.

    Parameters
    ----------
    limits : Limits
        What the request may hold.
    clock : callable
        Seconds, from any beginning.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._until = clock() + limits.request_s

    def begin(self, number: int, total: int) -> None:
        """Say whether a row may be worked on, from 0.

        Raises
        ------
        AudioError
            It is beyond the limit, or the time is over.
        """
        if number >= self._limits.rows:
            raise AudioError(
                tr(
                    "audio: row {number} of {total}, a request may hold {most:g} (ASD_MAX_ROWS); "
                    "send the others in requests of their own",
                    number=number + 1,
                    total=total,
                    most=self._limits.rows,
                )
            )
        self.watch(0.0)

    def watch(self, seconds: float) -> None:
        """Say whether to go on with a recording of so many seconds.

        Raises
        ------
        AudioError
            It is too long, the time is over, or the server is about to end.
        """
        if seconds > self._limits.seconds:
            raise AudioError(
                tr(
                    "audio: lasts more than the {most:g} s that a row may hold (ASD_MAX_SECONDS); "
                    "cut it, or judge it with `score`",
                    most=self._limits.seconds,
                )
            )
        if _server_ends():
            raise AudioError(tr("audio: not judged, the server is about to end; send it again"))
        if self._clock() > self._until:
            raise AudioError(
                tr(
                    "audio: not judged within the {most:g} s of a request; send fewer or shorter "
                    "recordings at once, or serve with a longer --timeout",
                    most=self._limits.request_s,
                )
            )

    def content(self, cell: object) -> bytes:
        """The bytes of a recording.

        Parameters
        ----------
        cell : object
            Bytes, or text: base64 in either alphabet, folded or not, or a data URL.

        Raises
        ------
        AudioError
            It is something else, or too large.
        """
        if isinstance(cell, bytes | bytearray | memoryview):
            self._check_size(len(cell))
            return bytes(cell)
        if not isinstance(cell, str):
            raise AudioError(tr("audio: no text; send the file's bytes as base64"))
        # Many programs fold base64 at 76 characters: line breaks are no error.
        text = "".join(_body(cell).split()).translate(_URL_SAFE)
        self._check_size(len(text) * 3 // 4)
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError as error:
            raise AudioError(
                tr("audio: not base64 ({error}); send the file's bytes as base64", error=error)
            ) from error

    def _check_size(self, size: int) -> None:
        if size > self._limits.megabytes * 1e6:
            raise AudioError(
                tr(
                    "audio: {size:.0f} MB, a row may hold {most:g} (ASD_MAX_MEGABYTES); send it "
                    "as FLAC or in parts",
                    size=size / 1e6,
                    most=self._limits.megabytes,
                )
            )


def _server_ends() -> bool:
    """Whether the server has been told to end, which waits for requests however long they take.

    Uvicorn puts its own handler of the signal, a method of the server, in place when it starts.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


def _body(text: str) -> str:
    """The part of a data URL (RFC 2397) that holds the content; any other text as it is."""
    if text.lstrip()[:5].lower() != "data:":
        return text
    head, comma, body = text.partition(",")
    if not comma or not head.rstrip().lower().endswith(";base64"):
        raise AudioError(tr("audio: a data URL without base64; write data:audio/wav;base64,..."))
    return body


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip() or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ConfigError(tr("{name}={text}: must be a number above 0", name=name, text=text))
    return number
