"""Sounds that are laid over clips: reading them, and how a clip with one is named."""

import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asd.audio.decode import read
from asd.audio.folders import find_audio
from asd.audio.overlay import trim_silence
from asd.errors import AsdError, DataError
from asd.language import tr
from asd.parallel import parallel_map
from asd.text import count, printable

# Bytes of a file name that come from a sound's name; file systems allow 255 in all, of which
# a clip's own name takes up to 170.
_NAME_BYTES = 60

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Noise:
    """A sound to lay over clips."""

    name: str
    """Name of its file, without suffix."""
    samples: Samples
    """``(n,)``, without silence at its ends."""

    @property
    def kind(self) -> str:
        """The name without a number at its end, by which metrics are grouped."""
        return noise_kind(self.name)


def noise_kind(name: str) -> str:
    """The name of a sound without a number at its end.

    Examples
    --------
    >>> [noise_kind(name) for name in ("knock_03", "話し声 (2)", "7")]
    ['knock', '話し声', '7']
    """
    return re.sub(r"[\s_.-]*[(（]?\d+[)）]?$", "", name) or name


def load_noises(folder: Path, sample_rate: int) -> list[Noise]:
    """Read all sounds of a folder, each once.

    Parameters
    ----------
    folder : Path
        Folder, searched with its sub-folders, of sounds in any container; or one file.
    sample_rate : int
        Rate of the samples in Hz.

    Returns
    -------
    list of Noise
        Sorted by path.

    Raises
    ------
    DataError
        There are none, or some are broken or silent; names all of those.
    """
    paths = find_audio(folder)
    loaded = parallel_map(partial(_load, sample_rate), paths, desc=tr("foreign sounds"))
    bad = [sound for sound in loaded if isinstance(sound, str)]
    if bad:
        raise DataError(
            tr(
                "noise={folder}: {n} of {sounds} cannot be used: {bad}; mend or remove them",
                folder=folder,
                n=len(bad),
                sounds=count(len(paths), "sound"),
                bad="; ".join(bad),
            )
        )
    return [sound for sound in loaded if isinstance(sound, Noise)]


def _load(sample_rate: int, path: Path) -> Noise | str:
    """The sound, or what is wrong with it."""
    try:
        samples, _ = read(path, sample_rate)
    except AsdError as error:
        return str(error)
    # Some file systems take characters apart (が into か and its dots); one word is one name.
    name = unicodedata.normalize("NFC", printable(path.stem))
    return Noise(name, trim_silence(samples, sample_rate))
