"""What the fuzzer calls: all that is done with a recording of a stranger's."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asd.audio.decode import probe, stream_blocks
from asd.audio.encode import transcode
from asd.errors import AsdError, AudioError

MEGABYTES = 1024
"""So much memory the work on one input may take, over that of the process itself."""
SECONDS = 20
"""So much processor time it may take."""
_LENGTH_S = 3600.0
"""The server's own limit on the length of a recording."""


def handle(data: bytes) -> None:
    """Look at an input, decode it as the server and the steps do, and write it anew.

    An `AsdError` is an answer; anything else that comes out is a fault.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "recording")
        path.write_bytes(data)
        for way in (_as_request, _as_file, _as_extracted):
            try:
                way(path)
            except AsdError as error:
                if "\n" in str(error):
                    raise ValueError(f"more than one line: {error}") from error


def _as_request(path: Path) -> None:
    for _ in stream_blocks(path.read_bytes(), 16000, watch=_watch):
        pass


def _as_file(path: Path) -> None:
    probe(path)
    for _ in stream_blocks(path, truncated="accept", watch=_watch):
        pass


def _as_extracted(path: Path) -> None:
    if (probe(path).duration_s or 0) < _LENGTH_S:
        transcode(path, path.with_name("written.wav"), "wav")


def _watch(seconds: float) -> None:
    if seconds > _LENGTH_S:
        raise AudioError("longer than a row may be")


def fault_of(path: Path) -> str:
    """Give an input to a process of its own: what is wrong with what it does; empty if nothing."""
    command = [sys.executable, "-m", "tests.fuzz.target", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return f"exit code {done.returncode} {last}"


def main() -> None:
    """Handle a file within the limits."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    started = time.process_time()
    handle(Path(sys.argv[1]).read_bytes())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used.ru_maxrss) // 1024
    sys.stdout.write(f"{time.process_time() - started:.2f} s, {grown} MB\n")
    if grown > MEGABYTES:
        raise SystemExit(f"it took {grown} MB")


if __name__ == "__main__":
    main()
