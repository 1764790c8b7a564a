"""One fuzzing process: atheris changes the inputs, led by which lines of `asd.audio` they reach."""

import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Fuzz for a while: ``fuzzer.py SECONDS COUNT OPTIONS...``, in seconds of processor time."""
    import atheris

    with atheris.instrument_imports(include=["asd.audio"]):
        from tests.fuzz.target import handle

    seconds, count, *options = sys.argv[1:]
    runs = 0

    def one(data: bytes) -> None:
        nonlocal runs
        handle(data)
        runs += 1
        if runs % 10 == 0:
            Path(count).write_text(str(runs), encoding="utf-8")
            if time.process_time() > float(seconds):
                os._exit(0)  # libFuzzer takes any other end for a fault

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
