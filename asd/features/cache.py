"""The on-disk cache: no spectrogram is computed twice.

Each front end has a folder of its own, named by a digest of its config and version::

    <root>/<digest>/features.json   the config, for people to read
                    pack            spectrograms one after another, float32
                    index           one record a clip: SHA-256 of the audio, where in the pack
                    filling.lock, writing.lock

Data sets share the folder: a clip is known by the digest of its audio, wherever it lies. Records
are added after the data they point to is on the disk, so a process killed at any moment leaves
at worst some bytes that nothing points to.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import overload

import joblib
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from asd.config import LogMelConfig
from asd.data.audio import read_clip
from asd.data.manifest import Dataset, atomic_path
from asd.data.parallel import parallel_map
from asd.errors import AudioError
from asd.features.logmel import VERSION, LogMel
from asd.features.sets import FloatArray
from asd.features.threads import one_thread

logger = logging.getLogger(__name__)

_RECORD = np.dtype([("sha256", "V32"), ("offset", "<i8"), ("n_frames", "<i8")])
_CLIPS_AT_ONCE = 16
"""Clips a task: few enough for memory, enough to make writing them together worth while."""


class PackedFeatures(Sequence[FloatArray]):
    """Spectrograms in a pack, each read when it is asked for.

    They are read, not mapped: pages of a memory map count as memory of the process for as long
    as the system has room, and training would seem to grow with its data.

    Parameters
    ----------
    pack : Path
        File of float32 values.
    n_mels : int
        Number of mel bands.
    spans : ndarray of shape (n_clips, 2)
        Offset in bytes and number of frames of each clip.
    """

    def __init__(self, pack: Path, n_mels: int, spans: NDArray[np.int64]) -> None:
        self._pack = pack
        self._n_mels = n_mels
        self._spans = spans

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, index: int) -> FloatArray: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer]) -> "PackedFeatures": ...
    def __getitem__(
        self, index: int | slice | NDArray[np.integer]
    ) -> "FloatArray | PackedFeatures":
        if isinstance(index, slice | np.ndarray):
            return PackedFeatures(self._pack, self._n_mels, self._spans[index])
        offset, n_frames = (int(value) for value in self._spans[index])
        count = self._n_mels * n_frames
        values = np.fromfile(self._pack, dtype="<f4", count=count, offset=offset)
        return values.reshape(self._n_mels, n_frames)


class FeatureCache:
    """Gives the features of data sets, and computes those that are not there yet.

    Any number of processes may use one folder at once.

    Parameters
    ----------
    root : Path
        Folder of all caches; made where it is missing.
    config : LogMelConfig
        The front end.
    """

    def __init__(self, root: Path, config: LogMelConfig) -> None:
        values = {"version": VERSION, **config.model_dump(mode="json")}
        text = json.dumps(values, sort_keys=True, indent=2)
        self.config = config
        self.folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
        if not (self.folder / "features.json").is_file():
            with atomic_path(self.folder / "features.json") as partial_path:
                partial_path.write_text(text, encoding="utf-8")

    def features(self, dataset: Dataset) -> PackedFeatures:
        """Log-mel spectrograms of all clips, in the order of the manifest.

        The digests in the manifest are trusted; `asd.data.verify` checks them.

        Parameters
        ----------
        dataset : Dataset
            Its clips may have any sample rate; they are resampled to the configured one.

        Raises
        ------
        AudioError
            Clips that are not in the cache cannot be read; names all of them. The others are
            kept.
        """
        wanted = {bytes.fromhex(clip.sha256): dataset.file(clip) for clip in dataset.clips}
        spans = self._spans()
        if not wanted.keys() <= spans.keys():
            self._fill(wanted)
            spans = self._spans()
        found = [spans[bytes.fromhex(clip.sha256)] for clip in dataset.clips]
        return PackedFeatures(
            self.folder / "pack",
            self.config.n_mels,
            np.array(found, dtype=np.int64).reshape(-1, 2),
        )

    def _fill(self, wanted: dict[bytes, Path]) -> None:
        """Compute what is missing; who comes second waits and finds the work done."""
        with FileLock(self.folder / "filling.lock"):
            known = self._spans()
            if not known:  # nothing there, or damaged
                for name in ("index", "pack"):
                    (self.folder / name).unlink(missing_ok=True)
            missing = [item for item in wanted.items() if item[0] not in known]
            logger.debug("computing the features of %d clips", len(missing))
            starts = range(0, len(missing), _CLIPS_AT_ONCE)
            tasks = [missing[start : start + _CLIPS_AT_ONCE] for start in starts]
            # Decoding and the transform both leave the interpreter free for other threads, and
            # threads need not load these libraries again.
            with one_thread(), joblib.parallel_config(prefer="threads"):
                compute = partial(_compute, self.folder, LogMel(self.config))
                problems = list(chain.from_iterable(parallel_map(compute, tasks, "features")))
        if problems:
            raise AudioError(f"{'; '.join(problems)}; mend these clips or run preprocess again")

    def _spans(self) -> dict[bytes, tuple[int, int]]:
        """Offset in bytes and number of frames of every clip in the cache."""
        index, pack = self.folder / "index", self.folder / "pack"
        if not index.is_file() or not pack.is_file():
            return {}
        content = index.read_bytes()
        # A record cut short by a kill is left out, and overwritten by the next.
        records = np.frombuffer(content, _RECORD, count=len(content) // _RECORD.itemsize)
        ends = records["offset"] + 4 * self.config.n_mels * records["n_frames"]
        if ends.max(initial=0) > pack.stat().st_size:
            logger.warning("%s: shorter than its index says; computing features anew", pack)
            return {}
        return {digest: (offset, n_frames) for digest, offset, n_frames in records.tolist()}


def _compute(folder: Path, front_end: LogMel, clips: list[tuple[bytes, Path]]) -> list[str]:
    """Compute clips and add them to the cache in `folder`; says which cannot be read and why."""
    digests: list[np.void] = []
    spectrograms: list[FloatArray] = []
    problems: list[str] = []
    for digest, path in clips:
        try:
            spectrograms.append(front_end(read_clip(path, front_end.config.sample_rate)))
            digests.append(np.void(digest))
        except AudioError as error:
            problems.append(str(error))
    with FileLock(folder / "writing.lock"):
        offset = _append(folder / "pack", b"".join(s.tobytes() for s in spectrograms), 4)
        sizes = np.array([s.nbytes for s in spectrograms], dtype=np.int64)
        records = np.empty(len(digests), _RECORD)
        records["sha256"] = digests
        records["offset"] = offset + np.cumsum(sizes) - sizes
        records["n_frames"] = [s.shape[1] for s in spectrograms]
        _append(folder / "index", records.tobytes(), _RECORD.itemsize)
    return problems


def _append(path: Path, content: bytes, itemsize: int) -> int:
    """Write after the last whole item, down to the disk; gives the offset."""
    with path.open("ab") as file:
        offset = file.tell() // itemsize * itemsize
        file.truncate(offset)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return offset
