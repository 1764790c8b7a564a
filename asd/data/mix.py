"""How a sound is laid over a clip, and what the clip is called afterwards."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from asd.arrays import Samples
from asd.audio.noise import Noise
from asd.audio.overlay import overlay, snr_gain_db
from asd.data.manifest import Clip, Label
from asd.errors import AudioError
from asd.language import tr

# Bytes of a file name that come from a sound's name; file systems allow 255 in all, of which
# a clip's own name takes up to 170.
_NAME_BYTES = 60


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
                raise AudioError(
                    tr(
                        "{path} with {name}: {error}",
                        path=clip.path,
                        name=self.noise.name,
                        error=error,
                    )
                ) from error
        return round(gain_db, 1) + 0.0  # -0.0 becomes 0.0


def renamed(clip: Clip, ending: str) -> str:
    """Path of a copy of a clip, beside it: ``ending`` is put behind its name."""
    path = PurePosixPath(clip.path)
    return str(path.with_name(f"{path.stem}{ending}.wav"))
