"""Augmented data sets: what is in them, how it sounds, and what cannot be done."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asd.audio import decode as audio
from asd.audio.encode import write_wav
from asd.audio.noise import Noise, load_noises
from asd.config.steps import AugmentConfig
from asd.data import manifest
from asd.data.augment import AugmentReport, augment
from asd.data.demo.media import write_m4a
from asd.data.manifest import Clip, Dataset
from asd.data.verify import verify
from asd.errors import AsdError, AudioError, ConfigError, DataError
from asd.files import file_digest

RATE = 8000
KNOCK = "机を叩く音"

Samples = NDArray[np.float32]


def hum(seconds: float, level: float, seed: int) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    return np.asarray(level * np.sin(2 * np.pi * (300 + rng.uniform(0, 300)) * time), np.float32)


def clip(path: str, root: Path, samples: Samples, **fields: Any) -> Clip:
    write_wav(root / path, samples, RATE)
    return Clip(
        path=path,
        duration_s=len(samples) / RATE,
        start_s=0,
        sha256=file_digest(root / path),
        **fields,
    )


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Five normal test clips, one with a fault and one unknown, and one clip on each other side."""
    root = tmp_path / "装置"
    clips = [
        clip(
            f"test/燃焼_{i}.wav", root, hum(1, 0.2, i), recording="c", split="test", label="normal"
        )
        for i in range(5)
    ]
    others: list[tuple[str, dict[str, Any]]] = [
        ("test/leak.wav", {"split": "test", "label": "anomaly", "condition": "gas_leak"}),
        ("test/what.wav", {"split": "test", "label": "unknown"}),
        ("train/a.wav", {"split": "train", "label": "normal"}),
        ("valid/b.wav", {"split": "valid", "label": "normal"}),
    ]
    clips += [
        clip(path, root, hum(1, 0.2, 10 + i), recording=path, **fields)
        for i, (path, fields) in enumerate(others)
    ]
    return manifest.save(root, clips)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A knock of 0.2 s after silence, and a rattle longer than the clips."""
    folder = tmp_path / "noise"
    folder.mkdir()
    silence = np.zeros(RATE // 2, np.float32)
    write_m4a(folder / f"{KNOCK}_1.m4a", np.concatenate([silence, hum(0.2, 0.3, 1)]), RATE)
    write_wav(folder / "rattle.wav", hum(3, 0.1, 2), RATE)
    return folder


def run(data: Dataset, name: str = "out", **changes: Any) -> AugmentReport:
    options: dict[str, Any] = {
        "pitch": (),
        "pitch_method": "resample",
        "noise": None,
        "noise_count": 2,
        "noise_gain_db": (-10.0, 10.0),
        "noise_snr_db": None,
        "noise_label": "anomaly",
        "split": "test",
        "seed": 42,
        "overwrite": False,
    }
    wish = options | changes
    wish["noise"] = str(wish["noise"] or "")
    return augment(data, data.root.parent / name, AugmentConfig.parse(wish))


def by_path(data: Dataset) -> dict[str, Clip]:
    return {clip.path: clip for clip in data.clips}


def test_pitched_copies_stand_beside_their_clips(data: Dataset) -> None:
    report = run(data, pitch=(-12, 3))
    made = by_path(manifest.load(report.dataset.root))
    verify(report.dataset)
    assert len(made) == 9 + 2 * 7
    assert (report.carried, report.pitched, report.noised) == (9, 14, 0)
    low = made["test/燃焼_0_pitch_-12.wav"]
    assert (low.pitch_semitones, low.condition, low.duration_s) == (-12, "pitch_down_12", 2.0)
    assert (low.recording, low.label, low.split) == ("c", "normal", "test")
    assert made["test/燃焼_0_pitch_+3.wav"].condition == "pitch_up_3"
    assert made["test/leak_pitch_+3.wav"].condition == "gas_leak"


def test_the_rest_is_carried_over_byte_by_byte(data: Dataset, noise: Path) -> None:
    report = run(data, pitch=(1,), noise=noise, split="valid", noise_count=1)
    made = by_path(report.dataset)
    for old in data.clips:
        if old.split != "valid":
            assert made[old.path] == old
            assert report.dataset.file(old).read_bytes() == data.file(old).read_bytes()


def test_a_clip_with_a_sound_takes_the_place_of_the_one_without(data: Dataset, noise: Path) -> None:
    report = run(data, noise=noise, noise_count=2)
    noised = [c for c in report.dataset.clips if c.noise]
    assert len(report.dataset.clips) == 9
    assert (report.carried, report.noised) == (7, 2)
    for found in noised:
        assert found.noise_gain_db is not None
        stem = found.path.partition("_noisy_")[0]
        assert found.path == f"{stem}_noisy_{found.noise}_{found.noise_gain_db:+.1f}dB.wav"
        assert f"{stem}.wav" not in by_path(report.dataset)
        assert (found.label, found.recording) == ("anomaly", "c")
        assert (
            found.condition
            == {f"{KNOCK}_1": f"noise_{KNOCK}", "rattle": "noise_rattle"}[found.noise]
        )
    verify(report.dataset)


def test_pitched_clips_get_sounds_too(data: Dataset, noise: Path) -> None:
    report = run(data, pitch=(-1, 1), noise=noise, noise_count=15)
    noised = [c for c in report.dataset.clips if c.noise]
    assert sorted(c.pitch_semitones for c in noised) == [-1.0] * 5 + [0.0] * 5 + [1.0] * 5
    assert any("_pitch_+1_noisy_" in c.path for c in noised)
    assert "no normal clip left" in report.lines()[-1]


def test_with_all_the_clean_clips_stay(data: Dataset, noise: Path) -> None:
    report = run(data, noise=noise, noise_count="all", noise_label="normal")
    assert report.noised == 5
    assert {c.path for c in data.clips} < {c.path for c in report.dataset.clips}
    assert {c.label for c in report.dataset.clips if c.noise} == {"normal"}


def test_the_sound_is_in_the_clip_at_its_gain(data: Dataset, noise: Path) -> None:
    (noise / "rattle.wav").unlink()
    event = load_noises(noise, RATE)[0].samples
    assert len(event) / RATE == pytest.approx(0.2, abs=0.03)
    report = run(data, noise=noise, noise_count="all", noise_gain_db=(-6, 0))
    for found in (c for c in report.dataset.clips if c.noise):
        clean = audio.read_clip(data.root / (found.path.partition("_noisy_")[0] + ".wav"), RATE)
        added = audio.read_clip(report.dataset.file(found), RATE) - clean
        gain_db = 10 * np.log10(np.sum(added**2) / np.sum(event**2))
        assert gain_db == pytest.approx(found.noise_gain_db, abs=0.02)


def test_the_ratio_of_clip_to_sound_is_kept(data: Dataset, noise: Path) -> None:
    (noise / f"{KNOCK}_1.m4a").unlink()
    report = run(data, noise=noise, noise_count="all", noise_snr_db=(3, 3))
    found = next(c for c in report.dataset.clips if c.noise)
    clean = audio.read_clip(data.root / (found.path.partition("_noisy_")[0] + ".wav"), RATE)
    added = audio.read_clip(report.dataset.file(found), RATE) - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(added**2)) == pytest.approx(3, abs=0.1)


def test_headroom_is_reported(data: Dataset, noise: Path) -> None:
    report = run(data, noise=noise, noise_count="all", noise_gain_db=(30, 30))
    assert report.lowered == 5
    assert report.headroom_db > 6
    assert "turned down to stay within full scale: 5 clips" in report.lines()[1]


def test_depends_on_the_seed_and_not_on_the_order_of_clips(data: Dataset, noise: Path) -> None:
    turned = Dataset(data.root, data.clips[::-1])
    first, second, other = (
        run(source, name, pitch=(2,), noise=noise, seed=seed).dataset.digest
        for source, name, seed in ((data, "a", 1), (turned, "b", 1), (data, "c", 2))
    )
    assert first == second != other


def test_each_clip_is_counted_once_in_what_is_told(data: Dataset, noise: Path) -> None:
    report = run(data, pitch=(-3, 3), noise=noise, noise_count=4, split="all")
    total, *parts = map(int, re.findall(r"\d+(?= )", report.lines()[0]))
    assert len(parts) == 4
    assert total == sum(parts) == len(report.dataset.clips)


def test_no_recording_gets_on_two_sides(data: Dataset, noise: Path) -> None:
    report = run(data, pitch=(-3, 3), noise=noise, noise_count=4, split="all")
    sides: dict[str, set[str]] = {}
    for found in report.dataset.clips:
        sides.setdefault(found.recording, set()).add(found.split)
    assert all(len(side) == 1 for side in sides.values())


def test_anomalies_among_the_training_clips_are_pointed_out(data: Dataset, noise: Path) -> None:
    report = run(data, noise=noise, noise_count=1, split="train")
    assert "nothing is learned" in report.lines()[-1]


def test_overwrites_only_when_told(data: Dataset) -> None:
    run(data, pitch=(1,))
    with pytest.raises(DataError, match="overwrite=true"):
        run(data, pitch=(2,))
    assert run(data, pitch=(2,), overwrite=True).dataset.clips[0].path == "test/leak.wav"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({}, ConfigError, "nothing to do"),
        ({"pitch": (0,)}, ConfigError, "pitch=0"),
        ({"pitch": (25,)}, ConfigError, "within ±24"),
        ({"pitch": (float("nan"),)}, ConfigError, "pitch=nan"),
        ({"pitch": (3, 3)}, ConfigError, "stands twice"),
        ({"noise": Path("nowhere")}, DataError, "nowhere"),
        ({"noise": "noise", "noise_count": 6}, ConfigError, "5 clips labelled normal"),
    ],
)
def test_says_what_cannot_be_done(
    data: Dataset, noise: Path, changes: dict[str, Any], error: type[AsdError], message: str
) -> None:
    if changes.get("noise") == "noise":
        changes = {**changes, "noise": noise}
    with pytest.raises(error, match=message):
        run(data, **changes)
    assert not (data.root.parent / "out").exists()


def test_names_all_sounds_that_cannot_be_used(data: Dataset, noise: Path) -> None:
    write_wav(noise / "静か.wav", np.zeros(RATE, np.float32), RATE)
    (noise / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match="2 of 4 sounds") as caught:
        run(data, noise=noise)
    assert "静か.wav" in str(caught.value)
    assert "text.wav" in str(caught.value)


def test_an_empty_side_is_an_error(data: Dataset) -> None:
    with pytest.raises(DataError, match="split=train"):
        run(data.split("test"), pitch=(1,), split="train")


def test_pitching_twice_is_an_error(data: Dataset) -> None:
    first = run(data, pitch=(1,)).dataset
    with pytest.raises(DataError, match=r"pitch_\+1\.wav already"):
        run(first, "again", pitch=(1,))


def test_a_silent_clip_has_no_ratio(data: Dataset, noise: Path) -> None:
    silent = clip(
        "test/静.wav",
        data.root,
        np.zeros(RATE, np.float32),
        recording="s",
        split="test",
        label="normal",
    )
    with pytest.raises(AudioError, match=r"test/静\.wav"):
        run(Dataset(data.root, (silent,)), noise=noise, noise_count="all", noise_snr_db=(0, 0))


def test_nothing_is_left_of_a_failure(data: Dataset) -> None:
    data.file(data.clips[3]).write_bytes(b"broken")
    before = sorted(data.root.parent.iterdir())
    with pytest.raises(AudioError):
        run(data, pitch=(1,))
    assert sorted(data.root.parent.iterdir()) == before


def test_a_name_taken_apart_by_a_file_system_is_put_together(noise: Path) -> None:
    (noise / "rattle.wav").rename(noise / f"{unicodedata.normalize('NFD', 'ガス')}.wav")
    assert "ガス" in {found.name for found in load_noises(noise, RATE)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("knock_03", "knock"), ("話し声 (2)", "話し声"), ("音2", "音"), ("7", "7"), ("a1b", "a1b")],
)
def test_the_kind_of_a_sound_has_no_number(name: str, kind: str) -> None:
    assert Noise(name, np.zeros(1, np.float32)).kind == kind
