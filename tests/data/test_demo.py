"""The demo: what its folder holds, and whether its faults sound like what they are."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asd.audio.decode import probe, read
from asd.audio.folders import find_audio
from asd.audio.synthesis.events import EVENTS, PEAK, make_event
from asd.audio.synthesis.sources import SAMPLE_RATE
from asd.data import demo
from asd.data.demo import make_demo
from asd.data.demo.faults import FAULTS, SEVERITIES, make_fault
from asd.data.demo.plant import Fault, Room, Running, fan, motor, record, start
from asd.data.layouts import recognise
from asd.errors import DataError


def tiny(folder: Path, seed: int = 0, healthy: int = 2, shift: str = "") -> demo.DemoReport:
    size = demo.DemoSize(healthy, 2.0, takes=1, fault_s=1.5, sounds=1, faults=("gas_leak",))
    return make_demo(folder, seed, size, shift=shift)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "plant"
    tiny(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def power_db(samples: NDArray[np.float32], low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return float(10 * np.log10(spectrum[(hz >= low_hz) & (hz < high_hz)].sum()))


def steady(seconds: float = 8.0, shaft_hz: float = 48.0) -> Running:
    n = round(seconds * SAMPLE_RATE)
    return Running(np.full(n, 0.75), shaft_hz * np.arange(n) / SAMPLE_RATE)


def effect(name: str, severity: str = "strong") -> Fault:
    return make_fault(name, severity, steady(), np.random.default_rng(3))


def line_db(samples: NDArray[np.float32], hz: float) -> float:
    """How far a line at `hz` stands out of its neighbourhood of 8 Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    step = SAMPLE_RATE / len(samples)
    at = round(hz / step)
    around = spectrum[at - round(4 / step) : at + round(4 / step)]
    return float(20 * np.log10(spectrum[at - 1 : at + 2].max() / np.median(around)))


def test_recordings_are_videos_with_sound(made: Path) -> None:
    recordings = find_audio(made / demo.RECORDINGS)
    assert [path.name for path in recordings] == [
        "gas_leak_medium_1.mp4",
        "gas_leak_mild_1.mp4",
        "gas_leak_strong_1.mp4",
        "healthy_01.mp4",
        "healthy_02.mp4",
    ]
    assert b"mp4v" in recordings[0].read_bytes()
    for path in recordings:
        samples, rate = read(path)
        assert probe(path).codec == "aac"
        assert len(samples) / rate == pytest.approx(
            2.0 if "healthy" in path.name else 1.5, abs=0.05
        )
        assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.4


def test_foreign_sounds_have_japanese_names(made: Path) -> None:
    sounds = find_audio(made / demo.NOISE)
    assert {path.stem for path in sounds} == {f"{name}_1" for name in EVENTS}
    assert all(read(path)[1] == SAMPLE_RATE for path in sounds)


def test_labels_name_the_fault_and_leave_the_split_open(made: Path) -> None:
    with (made / demo.RECORDINGS / demo.LABELS).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"file", "label", "machine", "condition"}
    layout = recognise(made / demo.RECORDINGS)
    assert layout.kind == "labels.csv"
    assert {(r.name, r.label, r.condition) for r in layout.recordings if "mild" in r.name} == {
        ("gas_leak_mild_1", "anomaly", "gas_leak_mild")
    }
    assert [r.label for r in layout.recordings].count("normal") == 2


def test_the_report_counts(tmp_path: Path) -> None:
    report = tiny(tmp_path / "plant")
    assert (report.healthy, report.faulty, report.sounds, report.seconds) == (2, 3, 4, 8.5)
    assert "2 healthy and 3 faulty" in report.lines()[0]


def test_a_file_depends_on_the_seed_and_its_name_only(made: Path, tmp_path: Path) -> None:
    tiny(tmp_path / "more", healthy=3)
    tiny(tmp_path / "other", seed=1)
    first, more, other = files(made), files(tmp_path / "more"), files(tmp_path / "other")
    same = set(first) - {"recordings/labels.csv"}
    assert all(first[name] == more[name] for name in same)
    assert all(first[name] != other[name] for name in same)


def test_replaces_only_a_demo_and_only_when_told(tmp_path: Path) -> None:
    folder = tmp_path / "plant"
    (folder / demo.RECORDINGS).mkdir(parents=True)
    (folder / demo.RECORDINGS / "mine.mp4").touch()
    with pytest.raises(DataError, match="other files"):
        make_demo(folder, overwrite=True)
    (folder / demo.RECORDINGS / demo.LABELS).touch()
    with pytest.raises(DataError, match="exists"):
        make_demo(folder)


def test_nothing_is_left_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(demo, "_write_labels", fail)
    with pytest.raises(OSError, match="disk full"):
        tiny(tmp_path / "plant")
    assert list(tmp_path.iterdir()) == []


def shifted(name: str) -> NDArray[np.float32]:
    setting = demo.SHIFTS[name] if name else None
    room = Room.draw(np.random.default_rng(0))
    return record(steady(), room, np.random.default_rng(1), setting=setting)


def test_a_shift_is_heard_as_what_it_is() -> None:
    plain, softer, brighter = shifted(""), shifted("level"), shifted("microphone")
    everything = (0.0, SAMPLE_RATE / 2)
    assert power_db(softer, *everything) - power_db(plain, *everything) == pytest.approx(
        -8, abs=0.1
    )
    lean = [power_db(sound, 4000, 8000) - power_db(sound, 100, 300) for sound in (plain, brighter)]
    assert 2 < lean[1] - lean[0] < 6
    speeds = [
        np.diff(start(2.0, np.random.default_rng(0), factor).shaft).mean()
        for factor in (1.0, demo.SHIFTS["unit"].speed)
    ]
    assert speeds[1] / speeds[0] == pytest.approx(1.02)
    assert power_db(shifted("unit"), 600, 650) > power_db(plain, 600, 650)  # the pump's ring


def test_a_shifted_demo_has_recordings_of_its_own(made: Path, tmp_path: Path) -> None:
    tiny(tmp_path / "unit", shift="unit")
    first, other = files(made), files(tmp_path / "unit")
    assert set(first) == set(other)
    assert all(first[name] != other[name] for name in set(first) - {"recordings/labels.csv"})


def test_the_healthy_plant_has_blade_and_mains_lines() -> None:
    rng = np.random.default_rng(0)
    assert line_db(fan(steady(), rng), 7 * 48.0) > 20
    assert line_db(motor(steady(), rng), 100.0) > 20
    running = start(4.0, rng)
    assert len(record(running, Room.draw(rng), rng)) == 4 * SAMPLE_RATE
    assert 0.4 <= running.load.min() <= running.load.max() <= 1.0


def test_a_bearing_rings_at_each_ball() -> None:
    envelope = np.abs(np.asarray(effect("bearing_knock").added, np.float32))
    assert line_db(envelope, 3.2 * 48.0) > 20
    assert power_db(envelope, 150, 160) > power_db(envelope, 165, 175) + 10


def test_a_leak_hisses_at_high_frequencies() -> None:
    hiss = np.asarray(effect("gas_leak").added)
    assert power_db(hiss, 4000, 10000) > power_db(hiss, 0, 2000) + 15


def test_a_rubbing_blade_scrapes_once_a_revolution() -> None:
    envelope = np.abs(np.asarray(effect("blade_rub").added, np.float32))
    assert line_db(envelope, 48.0) > 15


def test_a_misfire_takes_away_the_roar_for_a_moment_and_thumps() -> None:
    fault = effect("misfire")
    gain = np.asarray(fault.roar_gain)
    assert gain.min() < 0.1
    assert np.median(gain) == 1.0
    assert (
        power_db(np.asarray(fault.added), 40, 160)
        > power_db(np.asarray(fault.added), 300, 2000) + 15
    )


def test_imbalance_is_a_line_at_the_shaft_frequency() -> None:
    fault = effect("imbalance")
    assert line_db(np.asarray(fault.added), 48.0) > 40
    assert line_db(np.asarray(fault.fan_gain) - np.float32(1), 48.0) > 40


@pytest.mark.parametrize("name", FAULTS)
def test_faults_get_louder_with_severity(name: str) -> None:
    levels = [np.mean(np.square(effect(name, severity).added)) for severity in SEVERITIES]
    assert levels[0] < levels[1] < levels[2]


@pytest.mark.parametrize("name", EVENTS)
def test_foreign_sounds_lie_between_silence(name: str) -> None:
    sound = make_event(name, np.random.default_rng(0))
    edge = int(0.08 * SAMPLE_RATE)
    assert np.max(np.abs(sound)) == pytest.approx(PEAK, rel=0.02)
    assert max(np.abs(sound[:edge]).max(), np.abs(sound[-edge:]).max()) < 0.01
    assert 0.5 < len(sound) / SAMPLE_RATE < 6
