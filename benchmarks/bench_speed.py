"""Speed and memory as fractions of what the machine can do: ``make bench``, to docs/benchmarks.md.

``python -m benchmarks.bench_speed decode judge`` measures and prints some parts only.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator

import av
import torch

from benchmarks import bench_around, bench_auto, bench_decode, bench_judge, bench_training
from benchmarks.limits import limits, processor
from benchmarks.page import REAL, Row, column_table, write_section
from benchmarks.quiet import say_little

logger = logging.getLogger(__name__)


def main() -> None:
    """Measure, print, and write the section where all was measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers end with it
    say_little()
    load = os.getloadavg()[0]
    chosen = sys.argv[1:] or list(PARTS)
    rows, failed = [], False
    for name in chosen:
        try:
            for row in PARTS[name]():
                rows.append(row)
                print("| " + " | ".join(row) + " |", flush=True)
        except Exception:  # the others are measured all the same
            logger.exception("%s: not measured", name)
            failed = True
    if chosen == list(PARTS) and not failed:
        write_section("speed", "Speed and memory", _section(rows, load))
    raise SystemExit(failed)


def _training() -> Iterator[Row]:
    motor = REAL / "motor"
    return bench_training.rows(motor if motor.is_dir() else None)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "limits": lambda: limits().rows(),
    "judge": bench_judge.rows,
    "decode": bench_decode.rows,
    "training": _training,
    "auto": bench_auto.rows,
    "around": bench_around.rows,
}


def _section(rows: list[Row], load: float) -> list[str]:
    return [
        "`make bench`: medians of one run; decoding, epochs and `score` by the least of several",
        "turns. The limits of the machine, which stand first, are of the same run; aims stand in",
        "brackets. The column written last:",
        f"torch {torch.__version__}, PyAV {av.__version__}, load of the machine when it began",
        f"{load:.1f} (a load above 0 blurs the figures).",
        "",
        *column_table("speed", processor(), rows),
    ]


if __name__ == "__main__":
    main()
