"""The store of features: no clip is computed twice.

Each front end has a folder of its own, named by its key, and each clip a file in it, named by the
digest of its sound::

    <root>/<key>/features.json              what the front end is, for people to read
                 ab/ab34...ef.npy           the features of one clip, float32, and a checksum

A file appears whole under its name or not at all, so that any number of processes and machines
may share a store. One that cannot be read, or is no longer what was written, is computed again.
Data sets share files: a clip is known by its content, wherever it lies.
"""

import io
import logging
import zlib
from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from asd.arrays import Spectrogram
from asd.audio.decode import read_clip
from asd.data.manifest import Clip, Dataset
from asd.errors import AudioError, FeatureError, OutputError
from asd.features.base import FrontEnd
from asd.features.clipset import ClipSet, Memo
from asd.files import atomic_path
from asd.language import tr
from asd.parallel import parallel_map
from asd.remote import RemoteFolder, is_url

_DESCRIPTION = "features.json"
_CHECKSUM_BYTES = 4
"""At the end of a file, behind the array, where NumPy does not look."""

logger = logging.getLogger(__name__)


class FeatureStore:
    """Gives the features of data sets, and computes those that are not there yet.

    Parameters
    ----------
    root : Path or str
        Folder of all front ends' features, made where it is missing; or its URL.
    """

    def __init__(self, root: Path | str) -> None:
        self._remote = RemoteFolder(str(root)) if is_url(root) else None
        self.root = (self._remote.copy if self._remote else Path(root)).absolute()
        self._memos: dict[str, Memo] | None = None

    def remembering(self) -> "FeatureStore":
        """The same store, whose sets share what they remember of clips: for fits on the same."""
        store = copy(self)
        store._memos = {}
        return store

    def features(self, dataset: Dataset, front_end: FrontEnd[Any]) -> ClipSet:
        """Features of all clips, in the order of the manifest; missing ones are computed first.

        The digests in the manifest are trusted; `asd.data.verify` checks them.

        Parameters
        ----------
        dataset : Dataset
            Its clips may have any sample rate; they are resampled to the front end's.
        front_end : FrontEnd
            What to compute.

        Raises
        ------
        AudioError
            Clips that are not in the store cannot be read; names all of them. The others are
            kept.
        FeatureError
            A file cannot be written, or the front end gives values that are no numbers.
        """
        folder = self.root / front_end.key
        missing = self._missing(dataset, folder)
        if missing and self._remote:
            self._remote.pull(self._names(folder, missing))
            missing = self._missing(dataset, folder)
        if missing:
            self._describe(folder, front_end)
            logger.debug("computing the features of %d clips", len(missing))
            compute = partial(_attempt, dataset, folder, front_end)
            # Decoding and the transform both leave the interpreter free for other threads, and
            # threads need not load these libraries again.
            clips = list(missing.values())
            outcomes = parallel_map(compute, clips, tr("features"), threads=True)
            problems = [problem for problem in outcomes if problem]
            if self._remote:
                made = {key: clip for key, clip in missing.items() if _file(folder, clip).is_file()}
                self._remote.push([f"{folder.name}/{_DESCRIPTION}", *self._names(folder, made)])
            if problems:
                raise AudioError(
                    tr(
                        "{problems}; mend these clips or run preprocess again",
                        problems="; ".join(problems),
                    )
                )
        memo = None if self._memos is None else self._memos.setdefault(front_end.key, {})
        return ClipSet(_Files(dataset, folder, front_end), dataset.clips, memo)

    def _missing(self, dataset: Dataset, folder: Path) -> dict[str, Clip]:
        return {c.sha256: c for c in dataset.clips if not _file(folder, c).is_file()}

    def _names(self, folder: Path, clips: Mapping[str, Clip]) -> list[str]:
        """Names below the root of those files that are there, or may be at the URL."""
        return [_file(folder, clip).relative_to(self.root).as_posix() for clip in clips.values()]

    def _describe(self, folder: Path, front_end: FrontEnd[Any]) -> None:
        try:
            with atomic_path(folder / _DESCRIPTION) as partial_path:
                partial_path.write_text(front_end.description, encoding="utf-8")
        except OutputError as error:
            raise _unwritable(error) from error


class _Files(Sequence[Spectrogram]):
    """The features of a data set's clips, read one by one.

    They are read, not mapped: pages of a memory map count as memory of the process for as long
    as the system has room, and training would seem to grow with its data.
    """

    def __init__(self, dataset: Dataset, folder: Path, front_end: FrontEnd[Any]) -> None:
        self._dataset, self._folder, self._front_end = dataset, folder, front_end

    def __len__(self) -> int:
        return len(self._dataset.clips)

    def __getitem__(self, index: Any) -> Any:
        clip = self._dataset.clips[index]
        path = _file(self._folder, clip)
        try:
            return _read(path, clip)
        except (OSError, ValueError, EOFError) as error:
            logger.warning("%s: cannot be used (%s); computing it again", path, error)
            return _compute(self._dataset, self._folder, self._front_end, clip)


def _file(folder: Path, clip: Clip) -> Path:
    return folder / clip.sha256[:2] / f"{clip.sha256}.npy"


def _read(path: Path, clip: Clip) -> Spectrogram:
    """Features as they were written; a `ValueError` where they have been changed since."""
    content = path.read_bytes()
    if _checksum(content[:-_CHECKSUM_BYTES], clip) != content[-_CHECKSUM_BYTES:]:
        raise ValueError("its checksum does not fit")
    spectrogram: Spectrogram = np.load(io.BytesIO(content), allow_pickle=False)
    return spectrogram


def _checksum(content: bytes, clip: Clip) -> bytes:
    """CRC-32 of the content of a file and of whose it is."""
    return zlib.crc32(content, zlib.crc32(clip.sha256.encode())).to_bytes(_CHECKSUM_BYTES)


def _compute(dataset: Dataset, folder: Path, front_end: FrontEnd[Any], clip: Clip) -> Spectrogram:
    spectrogram = front_end(read_clip(dataset.file(clip), front_end.sample_rate))
    if not np.isfinite(spectrogram).all():
        raise FeatureError(
            tr(
                "{file}: the front end {name} gives values that are no numbers, so "
                "that nothing is kept in {folder}; take other features.* or mend it",
                file=dataset.file(clip),
                name=front_end.name,
                folder=folder,
            )
        )
    buffer = io.BytesIO()
    np.save(buffer, spectrogram, allow_pickle=False)
    try:
        with atomic_path(_file(folder, clip)) as partial_path:
            partial_path.write_bytes(buffer.getvalue() + _checksum(buffer.getvalue(), clip))
    except OutputError as error:
        raise _unwritable(error) from error
    return spectrogram


def _attempt(dataset: Dataset, folder: Path, front_end: FrontEnd[Any], clip: Clip) -> str:
    """Compute a clip; gives what is wrong with its sound, or an empty text."""
    try:
        _compute(dataset, folder, front_end, clip)
    except AudioError as error:
        return str(error)
    return ""


def _unwritable(error: OutputError) -> FeatureError:
    return FeatureError(tr("{error}; features go to ASD_CACHE_DIR where that is set", error=error))
