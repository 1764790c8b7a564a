"""Pseudo-anomalies, in place of those that nobody has recorded, made from normal validation clips.

A sweep has to compare candidates, and usually there is no labelled anomaly to compare them on.
Each pseudo-anomaly is a normal validation clip with something laid over it, or something done to
its spectrum, that no healthy machine of the training set does. How well a detector tells them apart
from the untouched clips is a proxy for how well it finds faults, and no more than that.

The sounds are synthesised here: nothing of the test side, nor any recorded noise, is used.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile
from filelock import FileLock
from scipy import signal

from asd.arrays import Samples
from asd.audio.decode import read_clip
from asd.audio.overlay import overlay, snr_gain_db, trim_silence, within_full_scale
from asd.audio.synthesis import events
from asd.audio.synthesis.sources import SAMPLE_RATE
from asd.data import manifest
from asd.data.manifest import Clip, Dataset
from asd.files import file_digest
from asd.language import tr
from asd.parallel import parallel_map

VERSION = 1
"""Raised whenever the same clips and seed would give other pseudo-anomalies."""

LEAST = 200
"""Pseudo-anomalies that there are at least; each clip is used equally often."""
SNR_DB = (-5.0, 15.0)
"""Ratio of the clip to what is laid over it, drawn evenly: from plain to faint."""

Change = Callable[[Samples, int, np.random.Generator], Samples]


def pseudo_anomalies(normal: Dataset, seed: int, root: Path) -> Dataset:
    """Changed copies of normal clips, made on first use.

    Parameters
    ----------
    normal : Dataset
        Normal validation clips.
    seed : int
        What is done to a clip depends on this and on its audio alone.
    root : Path
        Folder in which they are kept.

    Returns
    -------
    Dataset
        `LEAST` clips or more, labelled `anomaly`, the kind of change as `condition`.
    """
    clips = sorted(normal.clips, key=lambda clip: clip.sha256)
    copies = -(-LEAST // len(clips))
    text = "\n".join([f"{VERSION} {seed} {copies}", *(clip.sha256 for clip in clips)])
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / manifest.MANIFEST_NAME).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            tasks = [
                (normal.file(clip), folder, clip, seed, copy)
                for clip in clips
                for copy in range(copies)
            ]
            manifest.save(folder, parallel_map(_make, tasks, tr("pseudo-anomalies")))
    return manifest.load(folder)


def _make(task: tuple[Path, Path, Clip, int, int]) -> Clip:
    source, folder, clip, seed, copy = task
    words = np.frombuffer(bytes.fromhex(clip.sha256), "<u4").tolist()
    rng = np.random.default_rng([VERSION, seed, copy, *words])
    rate = soundfile.info(source).samplerate
    kind = list(CHANGES)[int(rng.integers(len(CHANGES)))]
    changed = within_full_scale(CHANGES[kind](read_clip(source, rate), rate, rng))[0]
    path = folder / f"{clip.sha256[:16]}-{copy:03d}.wav"
    soundfile.write(path, changed, rate, subtype="PCM_16")
    made = {"path": path.name, "label": "anomaly", "condition": kind, "sha256": file_digest(path)}
    return clip.model_copy(update=made)


def _foreign(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """A foreign sound: a knock, a voice, metal or fire."""
    name = list(events.EVENTS)[int(rng.integers(len(events.EVENTS)))]
    event = trim_silence(events.make_event(name, rng), SAMPLE_RATE)
    event = librosa.resample(event, orig_sr=SAMPLE_RATE, target_sr=rate)
    return _lay(clip, event, rng)


def _tone(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """A whine: a tone with overtones that wavers a little."""
    time_s = np.arange(len(clip)) / rate
    pitch_hz = np.exp(rng.uniform(np.log(80), np.log(0.2 * rate)))
    waver = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.2, 4) * time_s)
    turns = np.cumsum(pitch_hz * waver) / rate
    partials = range(1, 1 + int(rng.integers(1, 5)))
    tone = sum(np.sin(2 * np.pi * k * turns) / k for k in partials if k * pitch_hz < 0.45 * rate)
    return _lay(clip, np.asarray(tone, np.float32), rng)


def _hiss(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """A leak: noise of one or two octaves, steady."""
    low = np.exp(rng.uniform(np.log(60), np.log(0.15 * rate)))
    high = min(low * 2 ** rng.uniform(1, 2), 0.45 * rate)
    sos = signal.butter(4, (low, high), "bandpass", fs=rate, output="sos")
    return _lay(clip, signal.sosfilt(sos, rng.standard_normal(len(clip))).astype(np.float32), rng)


def _rattle(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Something loose: a ringing click at each turn."""
    period = max(1, round(rate / rng.uniform(2, 25)))
    clicks = np.zeros(len(clip))
    at = np.arange(int(rng.integers(period)), len(clip), period)
    clicks[at] = rng.uniform(0.5, 1.0, len(at))
    centre = np.exp(rng.uniform(np.log(150), np.log(0.35 * rate)))
    b, a = signal.iirpeak(centre, rng.uniform(5, 30), fs=rate)
    return _lay(clip, signal.lfilter(b, a, clicks).astype(np.float32), rng)


def _colour(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Another sound of the same machine: an octave raised or lowered by 3 to 12 dB."""
    spectrum = np.fft.rfft(clip.astype(np.float64))
    frequency = np.fft.rfftfreq(len(clip), 1 / rate).clip(1)
    centre = np.exp(rng.uniform(np.log(100), np.log(0.4 * rate)))
    octaves = np.log2(frequency / centre)
    gain_db = rng.choice([-1, 1]) * rng.uniform(3, 12) * np.exp(-0.5 * (octaves / 0.5) ** 2)
    coloured: Samples = np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(clip)).astype(np.float32)
    return coloured


def _flutter(clip: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Running unevenly: the level rises and falls at 1 to 20 Hz by 2 to 10 dB."""
    time_s = np.arange(len(clip)) / rate
    swing = np.sin(2 * np.pi * (rng.uniform(1, 20) * time_s + rng.uniform()))
    return np.asarray(clip * 10 ** (rng.uniform(1, 5) * swing / 20), np.float32)


CHANGES: dict[str, Change] = {
    "foreign": _foreign,
    "tone": _tone,
    "hiss": _hiss,
    "rattle": _rattle,
    "colour": _colour,
    "flutter": _flutter,
}
"""What may be done to a clip."""


def _lay(clip: Samples, sound: Samples, rng: np.random.Generator) -> Samples:
    """Lay a sound over a clip at a random place and a random ratio of levels."""
    position = int(rng.integers(max(1, len(clip) // 2))) if len(sound) < len(clip) else 0
    part = sound[: len(clip) - position]
    if not np.any(part) or not np.any(clip):
        return clip
    gain_db = snr_gain_db(clip, part, float(rng.uniform(*SNR_DB)))
    return overlay(clip, part, position, gain_db)[0]
