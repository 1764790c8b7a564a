"""Which command made a data set, kept beside its manifest.

A command that was killed after its data set had taken its name, and is given again, finds that
there is nothing left to do.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import asd
from asd.config.base import Config
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.data.verify import verify
from asd.files import atomic_path
from asd.language import tr

MADE_NAME = "made.json"
AGAIN = tr("made before by the same command; nothing was left to do")


def mark_of(config: Config, facts: Iterable[object], files: Iterable[Path]) -> str:
    """What tells one command from another: settings, and the files that it starts from.

    Parameters
    ----------
    config : Config
        Its settings.
    facts : iterable
        What else it depends on.
    files : iterable of Path
        They count by path, size and time of change.
    """
    given = config.model_dump(mode="json", exclude={"output", "overwrite"})
    total = hashlib.sha256(json.dumps([asd.__version__, given], sort_keys=True).encode())
    for fact in facts:
        total.update(repr(fact).encode(errors="surrogateescape"))
    for path in files:
        stat = path.stat()
        total.update(f"{path!r} {stat.st_size} {stat.st_mtime_ns}".encode())
    return total.hexdigest()


def note_made(folder: Path, mark: str, figures: dict[str, Any]) -> None:
    """Keep, in the folder of a data set, the mark of what makes it, and what there is to report."""
    with atomic_path(folder / MADE_NAME) as partial:
        partial.write_text(json.dumps({"command": mark, "report": figures}), encoding="utf-8")


def made_before(folder: Path, mark: str) -> tuple[Dataset, dict[str, Any]] | None:
    """The data set that the command with this mark has made there before, and its report.

    None where there is none, or another command has made it.

    Raises
    ------
    DataError
        The data set is not as it was made.
    """
    try:
        made = json.loads((folder / MADE_NAME).read_text(encoding="utf-8"))
        if made["command"] != mark:
            return None
        figures = made["report"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    dataset = manifest.load(folder)
    verify(dataset)
    return dataset, {k: tuple(v) if isinstance(v, list) else v for k, v in figures.items()}
