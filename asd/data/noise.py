"""Sounds that are laid over clips: reading them, and how a clip with one is named."""

import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from asd.data import audio
from asd.data.manifest import Clip, Label
from asd.data.overlay import overlay, snr_gain_db, trim_silence
from asd.data.parallel import parallel_map
from asd.data.recordings import count
from asd.errors import AsdError, AudioError, DataError

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
        """The name without a number at its end, by which metrics are grouped.

        Examples
        --------
        >>> [Noise(name, np.zeros(1)).kind for name in ("knock_03", "話し声 (2)", "7")]
        ['knock', '話し声', '7']
        """
        return re.sub(r"[\s_.-]*[(（]?\d+[)）]?$", "", self.name) or self.name


@dataclass(frozen=True)
class Mix:
    """How a sound is laid over one clip."""

    noise: Noise
    """The sound."""
    rng: np.random.Generator
    """What place and gain are drawn by."""
    gain_db: tuple[float, float]
    """Range of the gain of the sound."""
    snr_db: tuple[float, float] | None
    """Range of the ratio of clip to sound, instead of a gain."""
    label: Label
    """What the clip counts as with the sound."""

    def apply(self, samples: Samples, clip: Clip) -> tuple[Samples, float, Clip]:
        """Lay the sound over a clip at a random place.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            The clip's sound.
        clip : Clip
            Its row.

        Returns
        -------
        samples : ndarray, shape (n,), float32
            Within [-1, 1].
        headroom_db : float
            By how many dB the whole was turned down to stay within full scale.
        clip : Clip
            The new row; its digest is still that of the clip without the sound.

        Raises
        ------
        AudioError
            A ratio of clip to sound is wanted and one of them is silent.
        """
        event = self.noise.samples
        if len(event) > len(samples):
            begin = int(self.rng.integers(len(event) - len(samples) + 1))
            event = event[begin : begin + len(samples)]
        position = int(self.rng.integers(len(samples) - len(event) + 1))
        gain_db = self._gain_db(samples, event, clip)
        mixed, headroom_db = overlay(samples, event, position, gain_db)
        short = self.noise.name.encode()[:_NAME_BYTES].decode(errors="ignore")
        changes = {
            "path": renamed(clip, f"_noisy_{short}_{gain_db:+.1f}dB"),
            "label": self.label,
            "condition": f"noise_{self.noise.kind}",
            "noise": self.noise.name,
            "noise_gain_db": gain_db,
        }
        return mixed, headroom_db, clip.model_copy(update=changes)

    def _gain_db(self, samples: Samples, event: Samples, clip: Clip) -> float:
        """The gain in whole tenths, so that file name, manifest and sound agree."""
        if self.snr_db is None:
            gain_db = float(self.rng.uniform(*self.gain_db))
        else:
            try:
                gain_db = snr_gain_db(samples, event, float(self.rng.uniform(*self.snr_db)))
            except AudioError as error:
                raise AudioError(f"{clip.path} with {self.noise.name}: {error}") from error
        return round(gain_db, 1) + 0.0  # -0.0 becomes 0.0


def renamed(clip: Clip, ending: str) -> str:
    """Path of a copy of a clip, beside it: ``ending`` is put behind its name."""
    path = PurePosixPath(clip.path)
    return str(path.with_name(f"{path.stem}{ending}.wav"))


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
    paths = audio.find_audio(folder)
    loaded = parallel_map(partial(_load, sample_rate), paths, desc="noise")
    bad = [found for found in loaded if isinstance(found, str)]
    if bad:
        raise DataError(
            f"noise={folder}: {len(bad)} of {count(len(paths), 'sound')} cannot be used: "
            f"{'; '.join(bad)}; mend or remove them"
        )
    return [found for found in loaded if isinstance(found, Noise)]


def _load(sample_rate: int, path: Path) -> Noise | str:
    """The sound, or what is wrong with it."""
    try:
        samples, _ = audio.read(path, sample_rate)
    except AsdError as error:
        return str(error)
    # Some file systems take characters apart (が into か and its dots); one word is one name.
    name = unicodedata.normalize("NFC", path.stem)
    return Noise(name, trim_silence(samples, sample_rate))
