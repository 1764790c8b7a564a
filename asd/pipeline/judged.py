"""Verdicts that are kept, so that work which was ended goes on where it was."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asd
from asd.files import atomic_path, file_digest
from asd.pipeline.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """Verdicts of one model, told one way: a file each, named by the digest of the recording.

    Parameters
    ----------
    root : Path
        The folder; another for each model.
    """

    root: Path

    @classmethod
    def below(cls, folder: Path, *told: str) -> Self:
        """In a folder, the place for one model.

        Parameters
        ----------
        folder : Path
            Where verdicts of all models are.
        *told : str
            All that decides of a verdict beside the recording: the model, and what it was told.
        """
        key = hashlib.sha256(repr((asd.__version__, *told)).encode()).hexdigest()
        return cls(folder / key[:16])

    def verdict(self, path: Path, judge: Callable[[Path], Verdict]) -> tuple[Verdict, bool]:
        """The verdict on a recording, and whether it was there already.

        A file that cannot be read is judged again. What `judge` raises is not kept.
        """
        place = self.root / f"{file_digest(path)}.json"
        try:
            return Verdict.from_dict(json.loads(place.read_text(encoding="utf-8"))), True
        except (OSError, ValueError, TypeError, KeyError):
            verdict = judge(path)
        with atomic_path(place) as partial:
            partial.write_text(json.dumps(verdict.to_dict()), encoding="utf-8")
        return verdict, False
