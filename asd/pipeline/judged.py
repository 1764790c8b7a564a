"""Verdicts that are kept, so that work which was ended goes on where it was."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asd
from asd.audio.completeness import Truncated
from asd.errors import AudioError
from asd.files import atomic_path, file_digest
from asd.language import tr
from asd.pipeline.judge import Judge
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


@dataclass(frozen=True)
class Judging:
    """Judges recordings one by one, in whatever process: what `score` does with each.

    It lives here, not in the step, so that a process for it need not load what steps load.
    """

    judge: Judge
    judged: Judged
    """What is known already."""
    machine: str | None
    """Machine that they are of, where told."""
    truncated: Truncated
    """What becomes of a recording that has lost its end."""
    strict: bool
    """Refuse what cannot be compared with the training."""

    def __call__(self, path: Path) -> tuple[Path, Verdict, bool]:
        """The recording, the verdict on it, and whether that was known.

        Raises
        ------
        AudioError
            It cannot be used, or compared where `strict` is on.
        """
        verdict, known = self.judged.verdict(
            path, lambda path: self.judge.judge(path, self.machine, self.truncated)
        )
        if self.strict and verdict.not_comparable:
            reasons = "; ".join(verdict.not_comparable)
            raise AudioError(
                tr("{path}: {reasons} (refused, as strict=true)", path=path, reasons=reasons)
            )
        return path, verdict, known
