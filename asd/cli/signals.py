"""SIGTERM, SIGHUP and Ctrl-C end a step by an exception, which falls into nothing half done.

That is a transaction, which would keep its lock on the database, so that the run could not be
ended; and the start of worker processes, which would find their parent gone and show a traceback.
"""

import signal
import sys
from types import FrameType
from typing import NoReturn

from asd.language import tr

_WHOLE = ("sqlalchemy", "joblib.externals.loky")
"""Parts of the names of modules that are not left halfway."""


class SignalError(KeyboardInterrupt):
    """The process was told to end."""

    def __init__(self, number: int) -> None:
        super().__init__(tr("interrupted ({signal})", signal=signal.Signals(number).name))
        self.number = number


def end_by_exception() -> None:
    """Raise `SignalError` where a signal tells this process to end, unless it is ignored.

    The exception waits until the main thread has left the database, and worker processes are
    started. It comes once; what follows is tidying up.
    """
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)
        usual = (signal.SIG_DFL, signal.default_int_handler)
        if number is not None and signal.getsignal(number) in usual:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    caller = _caller_of_whole(frame)
    if caller is None:
        _raise(number)
    else:  # Python calls a trace with the next line of the caller, or when it returns
        caller.f_trace = lambda *_: _raise(number)
        sys.settrace(lambda *_: None)


def _raise(number: int) -> NoReturn:
    sys.settrace(None)
    signal.signal(number, signal.SIG_IGN)
    raise SignalError(number)


def _caller_of_whole(frame: FrameType | None) -> FrameType | None:
    """What has called something that must not be cut short; None where nothing such is at work."""
    caller = None
    while frame is not None:
        if any(name in frame.f_globals.get("__name__", "") for name in _WHOLE):
            caller = frame.f_back
        frame = frame.f_back
    return caller
