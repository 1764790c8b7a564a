"""Fuzz the decoder: ``python -m tests.fuzz FOLDER``, for `ASD_FUZZ_SECONDS` of processor time.

What a fuzzing process ends at is given to a process of its own once more; what is a fault there,
too, is kept in the folder `found`, and makes the exit code 1.
"""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import write_seeds
from tests.fuzz.target import MEGABYTES, SECONDS, fault_of

FOUND = Path(__file__).parent / "found"
_OWN_MEGABYTES = 400
"""What a fuzzing process takes by itself."""
_SLOW = 6
"""By the clock, an input may take so many times its limit: other processes run, too."""
_LONGEST = 40_000


def main() -> None:
    """Start one fuzzing process after the other until the time is over."""
    wanted = float(os.environ.get("ASD_FUZZ_SECONDS", "3600"))
    folder = Path(sys.argv[1])
    write_seeds(folder / "seeds")
    for name in ("corpus", "ended"):
        (folder / name).mkdir(exist_ok=True)
    runs = rounds = 0
    faults: list[str] = []
    while (left := wanted - _spent()) > 0:
        runs += _fuzz(folder, left, rounds)
        rounds += 1
        faults += _look(folder / "ended")
        _say(f"{_spent():.0f} s, {runs} inputs, {rounds} processes, {len(faults)} faults")
    raise SystemExit(1 if faults else 0)


def _fuzz(folder: Path, seconds: float, number: int) -> int:
    """Fuzz in one process until it ends; how many inputs it has handled."""
    count = folder / "count"
    count.write_text("0", encoding="utf-8")
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", str(seconds), str(count)]
    command += [f"-timeout={_SLOW * SECONDS}", f"-rss_limit_mb={MEGABYTES + _OWN_MEGABYTES}"]
    command += [f"-seed={number + 1}", f"-max_len={_LONGEST}", f"-artifact_prefix={folder}/ended/"]
    command += ["-verbosity=0", str(folder / "corpus"), str(folder / "seeds")]
    with (folder / "fuzzer.log").open("a") as log:
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    return int(count.read_text(encoding="utf-8") or 0)


def _look(ended: Path) -> list[str]:
    """Keep, of the inputs at which a process ended, those that are a fault by themselves."""
    faults = []
    for path in sorted(ended.iterdir()):
        if fault := fault_of(path):
            faults.append(fault)
            FOUND.mkdir(exist_ok=True)
            shutil.copy(path, FOUND / path.name[:24])
            _say(f"{path.name}: {fault}")
        path.unlink()
    return faults


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
