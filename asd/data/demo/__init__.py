"""The demo: a small gas-heated plant, synthesised, so that everything runs without recordings."""

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from asd.arrays import Samples
from asd.audio.overlay import within_full_scale
from asd.audio.synthesis.events import EVENTS, make_event
from asd.audio.synthesis.sources import SAMPLE_RATE
from asd.data.demo.faults import FAULTS, SEVERITIES, make_fault
from asd.data.demo.media import write_m4a, write_mp4
from asd.data.demo.plant import Room, Setting, record, start
from asd.data.output import whole_folder
from asd.errors import DataError
from asd.language import tr
from asd.parallel import parallel_map

RECORDINGS = "recordings"
NOISE = "noise"
MACHINE = "burner"
"""The name of the plant in labels.csv."""
LABELS = "labels.csv"
SHIFTS = {
    "level": Setting(gain_db=-8.0),
    "unit": Setting(room=1, speed=1.02, roar_db=-1.5, fan_db=2.0, motor_db=-2.0, pump_db=2.0),
    "microphone": Setting(tilt_db=6.0),
}
"""What may be otherwise than in the demo: the gain, the plant with its room, or the microphone."""


@dataclass(frozen=True)
class DemoReport:
    """What the demo consists of."""

    recordings: Path
    """Folder of the videos, with labels.csv."""
    noise: Path
    """Folder of foreign sounds."""
    healthy: int
    """Videos of the healthy plant."""
    faulty: int
    """Videos of the plant with a fault."""
    sounds: int
    """Foreign sounds."""
    seconds: float
    """Total length of the videos."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        return [
            f"{self.recordings}: {self.healthy} healthy and {self.faulty} faulty recordings, "
            f"{self.seconds / 60:.1f} minutes",
            f"{self.noise}: {self.sounds} foreign sounds",
        ]


@dataclass(frozen=True)
class _Take:
    """One file of the demo."""

    name: str
    seconds: float = 0.0
    fault: str = ""
    severity: str = ""
    event: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its row of labels.csv."""
        label = "anomaly" if self.fault else "normal"
        condition = f"{self.fault}_{self.severity}" if self.fault else ""
        return Path(self.name).name, label, MACHINE, condition


@dataclass(frozen=True)
class DemoSize:
    """How much of everything a demo has."""

    healthy: int = 40
    """Recordings of the healthy plant."""
    healthy_s: float = 60.0
    """Length of each in seconds."""
    takes: int = 2
    """Recordings of each fault in each of the three `SEVERITIES`."""
    fault_s: float = 20.0
    """Length of each in seconds."""
    sounds: int = 3
    """Foreign sounds of each kind."""
    faults: Sequence[str] = tuple(FAULTS)
    """Which of the `FAULTS`."""


def make_demo(
    folder: Path,
    seed: int = 0,
    size: DemoSize | None = None,
    overwrite: bool = False,
    shift: str = "",
) -> DemoReport:
    """Synthesise the recordings of a gas burner, healthy and with faults, and foreign sounds.

    ``recordings/`` gets videos (MP4 with AAC sound) and ``labels.csv`` without a split;
    ``noise/`` gets sounds as M4A under Japanese names. Each file depends on the seed and its own
    name only. The folder appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Where to put the demo.
    seed : int
        Seed of everything random.
    size : DemoSize, optional
        How much of everything; the usual demo where not given.
    overwrite : bool
        Replace what stands at `folder`.
    shift : str
        One of `SHIFTS`: other recordings, in which that is otherwise than without.

    Raises
    ------
    DataError
        `folder` exists and may not be replaced.
    """
    check = partial(_check, folder, overwrite)
    check()
    size = size or DemoSize()
    well = [
        _Take(f"{RECORDINGS}/healthy_{i:02d}.mp4", size.healthy_s)
        for i in range(1, size.healthy + 1)
    ]
    ill = [
        _Take(f"{RECORDINGS}/{fault}_{severity}_{i}.mp4", size.fault_s, fault, severity)
        for fault in size.faults
        for severity in SEVERITIES
        for i in range(1, size.takes + 1)
    ]
    foreign = [
        _Take(f"{NOISE}/{event}_{i}.m4a", event=event)
        for event in EVENTS
        for i in range(1, size.sounds + 1)
    ]
    with whole_folder(folder, check) as made:
        (made / RECORDINGS).mkdir()
        (made / NOISE).mkdir()
        parallel_map(partial(_make, made, seed, shift), [*well, *ill, *foreign], desc=tr("demo"))
        _write_labels(made / RECORDINGS / LABELS, [*well, *ill])
    return DemoReport(
        folder / RECORDINGS,
        folder / NOISE,
        healthy=len(well),
        faulty=len(ill),
        sounds=len(foreign),
        seconds=sum(take.seconds for take in (*well, *ill)),
    )


def _check(folder: Path, overwrite: bool) -> None:
    if folder.is_file():
        raise DataError(tr("{folder}: is a file; choose a folder for the demo", folder=folder))
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / RECORDINGS / LABELS).is_file():
        raise DataError(
            tr("{folder}: holds other files, no demo; choose another folder", folder=folder)
        )
    if not overwrite:
        raise DataError(
            tr("{folder}: exists; choose another folder or give overwrite=true", folder=folder)
        )


def _make(folder: Path, seed: int, shift: str, take: _Take) -> None:
    # Seeded by name, so that a file does not depend on which others are made.
    rng = np.random.default_rng([seed, zlib.crc32(f"{shift}{take.name}".encode())])
    path = folder / take.name
    if take.event:
        write_m4a(path, make_event(take.event, rng), SAMPLE_RATE)
    else:
        write_mp4(path, _plant(take, seed, shift, rng), SAMPLE_RATE)


def _plant(take: _Take, seed: int, shift: str, rng: np.random.Generator) -> Samples:
    setting = SHIFTS[shift] if shift else Setting()
    running = start(take.seconds, rng, setting.speed)
    fault = make_fault(take.fault, take.severity, running, rng) if take.fault else None
    room = Room.draw(np.random.default_rng([seed, setting.room]))
    samples, _ = within_full_scale(record(running, room, rng, fault, setting))
    return samples


def _write_labels(path: Path, takes: Sequence[_Take]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "machine", "condition"))
        writer.writerows(take.row for take in takes)
