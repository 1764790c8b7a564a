"""The cache computes each clip once, for whoever asks, and survives what happens to files."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asd.audio.decode import read_clip
from asd.config import LogMelConfig
from asd.data.manifest import Clip, Dataset
from asd.errors import AudioError
from asd.features import store as module
from asd.features.logmel import LogMel
from asd.features.store import FeatureCache
from asd.files import file_digest

CONFIG = LogMelConfig(n_mels=16)


def make_dataset(root: Path, n_clips: int = 40, seed: int = 0) -> Dataset:
    """Clips of different lengths."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True)
    clips = []
    for number in range(n_clips):
        path = root / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(4000 + 600 * (number % 3)), 16000)
        clips.append(
            Clip(
                path=path.name,
                recording=path.stem,
                start_s=0,
                duration_s=0.25,
                split="train",
                label="normal",
                sha256=file_digest(path),
            )
        )
    return Dataset(root, tuple(clips))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the clips that the cache reads."""
    names: list[str] = []

    def counting(path: Path, sample_rate: int) -> Any:
        names.append(path.name)
        return read_clip(path, sample_rate)

    monkeypatch.setattr(module, "read_clip", counting)
    return names


def test_gives_what_the_front_end_gives(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    found = FeatureCache(tmp_path / "cache", CONFIG).features(dataset)
    front_end = LogMel(CONFIG)
    assert len(found) == 40
    for clip, spectrogram in zip(dataset.clips, found, strict=True):
        np.testing.assert_array_equal(spectrogram, front_end(read_clip(dataset.file(clip), 16000)))


def test_is_a_sequence(tmp_path: Path) -> None:
    found = FeatureCache(tmp_path / "cache", CONFIG).features(make_dataset(tmp_path / "data", 5))
    np.testing.assert_array_equal(found[-1], found[4])
    for part, expected in (found[1:4:2], [1, 3]), (found[np.array([4, 0, 0])], [4, 0, 0]):
        assert len(part) == len(expected)
        for spectrogram, index in zip(part, expected, strict=True):
            np.testing.assert_array_equal(spectrogram, found[index])
    with pytest.raises(IndexError):
        found[5]


def test_nothing_is_computed_twice(tmp_path: Path, read: list[str]) -> None:
    dataset = make_dataset(tmp_path / "data", 20)
    half = Dataset(dataset.root, dataset.clips[:10])
    FeatureCache(tmp_path / "cache", CONFIG).features(half)
    assert sorted(read) == sorted(clip.path for clip in half.clips)
    FeatureCache(tmp_path / "cache", CONFIG).features(dataset)
    assert len(read) == 20
    copied = tmp_path / "copy"
    dataset.root.rename(copied)
    FeatureCache(tmp_path / "cache", CONFIG).features(Dataset(copied, dataset.clips * 2))
    assert len(read) == 20


def test_another_config_is_another_cache(tmp_path: Path, read: list[str]) -> None:
    dataset = make_dataset(tmp_path / "data", 2)
    for n_mels in 16, 20, 16:
        cache = FeatureCache(tmp_path / "cache", LogMelConfig(n_mels=n_mels))
        assert cache.features(dataset)[0].shape[0] == n_mels
    assert len(read) == 4


def test_who_comes_second_waits_for_the_first(tmp_path: Path, read: list[str]) -> None:
    dataset = make_dataset(tmp_path / "data")

    def compute(_: int) -> list[bytes]:
        cache = FeatureCache(tmp_path / "cache", CONFIG)
        return [spectrogram.tobytes() for spectrogram in cache.features(dataset)]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(compute, range(4))
    assert all(other == first for other in others)
    assert len(read) == 40


def cut(path: Path, n_bytes: int, added: bytes = b"") -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - n_bytes] + added)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut(folder / "index", 5),
        lambda folder: cut(folder / "pack", 0, added=b"left by a kill"),
        lambda folder: cut(folder / "pack", 5),
        lambda folder: (folder / "pack").unlink(),
        lambda folder: (folder / "index").unlink(),
    ],
    ids=["index cut", "unused bytes", "pack cut", "no pack", "no index"],
)
def test_survives_a_kill_and_lost_files(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    old = make_dataset(tmp_path / "old", 6)
    new = make_dataset(tmp_path / "new", 6, seed=1)
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    cache.features(old)
    damage(cache.folder)
    front_end = LogMel(CONFIG)
    for dataset in new, old:
        for clip, found in zip(dataset.clips, cache.features(dataset), strict=True):
            expected = front_end(read_clip(dataset.file(clip), 16000))
            np.testing.assert_array_equal(found, expected)


def test_bad_clips_are_all_named_and_the_good_ones_kept(tmp_path: Path, read: list[str]) -> None:
    dataset = make_dataset(tmp_path / "data", 40)
    for name in "3.wav", "39.wav":
        (dataset.root / name).write_text("not sound", encoding="utf-8")
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    with pytest.raises(AudioError, match=r"3\.wav.*39\.wav"):
        cache.features(dataset)
    read.clear()
    cache.features(dataset.select(lambda clip: clip.path not in ("3.wav", "39.wav")))
    assert read == []
