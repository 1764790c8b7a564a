"""Every detector on the real recordings, written to docs/benchmarks.md: ``make bench-quality``.

Without arguments: all detectors, and the recipes of the original scripts, three seeds each.
Arguments are those of ``compare``, as ``--models=knn,gmm --seeds=1``.
"""

import logging
import os
import sys
from pathlib import Path

from asd import detectors
from asd.config.cli import load
from asd.config.recipes import recipe_names
from asd.config.steps import CompareConfig, PreprocessConfig
from asd.data.manifest import MANIFEST_NAME
from asd.steps import compare, preprocess
from benchmarks.page import REAL, write_section

CACHE = Path(".cache/bench")

SETS: dict[str, dict[str, float]] = {
    "motor": {"clip_seconds": 2, "sample_rate": 16000},
    "helicopter": {"clip_seconds": 2, "sample_rate": 16000},
    "pump_vibration": {"clip_seconds": 5, "sample_rate": 1000},
    "leak": {"clip_seconds": 1, "sample_rate": 8000},
    "heart_a": {"clip_seconds": 10, "sample_rate": 2000},
    "heart": {"clip_seconds": 10, "sample_rate": 2000},
}
"""Folder below ``../shared/data`` (or ``ASD_DATA_DIR``) to how it is cut."""


def main() -> None:
    """Cut the recordings, compare, and write the table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    presets = sorted(str(path) for path in Path("configs").glob("original-*.yaml"))
    defaults = [
        f"--models={','.join([*recipe_names(), *detectors.names(), *presets])}",
        f"--data={','.join(cut(name) for name in SETS)}",
    ]
    config = load(CompareConfig, [*defaults, *sys.argv[1:]])
    _write(compare.run(config).markdown())


def cut(name: str) -> str:
    """Cut a set into clips, once; gives the folder of the data set."""
    output = CACHE / name
    if not (output / MANIFEST_NAME).is_file():
        source = REAL / name
        wish = {"source": str(source), "output": str(output), "overwrite": True, **SETS[name]}
        preprocess.run(PreprocessConfig.parse(wish))
    return str(output)


def _write(table: list[str]) -> None:
    command = " ".join(["make bench-quality", *sys.argv[1:]])
    lines = [
        f"`{command}`, on {os.cpu_count()} cores. Mean over seeds, ± half the 95 % interval where",
        "the seed matters. Test clips are of recordings that were not trained on; pAUC is that up",
        "to 10 % false alarms, standardised. Seconds are without the front end; scoring is for all",
        "test clips.",
        "",
        *table,
    ]
    write_section("quality", "Quality", lines)


if __name__ == "__main__":
    main()
