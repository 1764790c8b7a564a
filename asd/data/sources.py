"""Names of the folders that `main` makes, one for each source."""

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from asd.files import atomic_path

_SOURCES = "sources.json"


def folder_name(root: Path, source: str, name: str) -> str:
    """The name below `root` under which everything made from a source stands.

    Two sources whose folders happen to have one name are two machines: the second one's name gets
    some digits behind it. Which source has which name is kept in ``sources.json``.

    Parameters
    ----------
    root : Path
        Made where it is missing.
    source : str
        Path of the recordings, absolute, or any other word that identifies them.
    name : str
        What to call it, if the name is still free.
    """
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{_SOURCES}.lock"):
        path = root / _SOURCES
        known: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        if known.setdefault(name, source) != source:
            name = f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:6]}"
            known[name] = source
        with atomic_path(path) as partial:
            text = json.dumps(known, ensure_ascii=False, indent=2, sort_keys=True)
            partial.write_text(text + "\n", encoding="utf-8")
    return name
