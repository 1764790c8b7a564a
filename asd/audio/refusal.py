"""Whatever a decoder raises becomes one line for the user."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asd.errors import AsdError, AudioError
from asd.language import tr


@contextmanager
def refuses(name: str, what: Callable[[], str], remedy: Callable[[], str]) -> Iterator[None]:
    """Turn any exception of PyAV inside the block into an `AudioError`.

    Headers can be made so that PyAV raises nearly anything: AttributeError for a codec that
    FFmpeg does not know, IndexError, ValueError, its own MemoryError. Only calls of PyAV belong
    into the block.

    Parameters
    ----------
    name : str
        What to call the recording.
    what : callable
        Gives what is wrong with it, to be followed by the reason in brackets.
    remedy : callable
        Gives what to do. Both are asked in case of need only: this is done for every packet.

    Raises
    ------
    AudioError
        In place of any exception that is not an error of ours.
    """
    try:
        yield
    except AsdError:
        raise
    except Exception as error:
        raise refusal(error, name, what(), remedy()) from error


def refusal(error: Exception, name: str, what: str, remedy: str) -> AudioError:
    """The line for what a decoder raised, for loops in which `refuses` would cost too much."""
    return AudioError(f"{name}: {what} ({_reason(error)}); {remedy}")


def _reason(error: Exception) -> str:
    # PyAV gives a stream without the attributes of sound where FFmpeg has no decoder for it.
    if isinstance(error, AttributeError):
        return tr("its codec is unknown")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split())[:200]
