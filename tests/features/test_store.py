"""The store computes each clip once, for whoever asks, and survives what happens to files."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asd.audio.decode import read_clip
from asd.config import LogMelConfig
from asd.data.manifest import Dataset, save
from asd.errors import AudioError, FeatureError
from asd.features import store as module
from asd.features.clipset import ClipSet
from asd.features.logmel import LogMel
from asd.features.store import FeatureStore

FRONT_END = LogMel(LogMelConfig(n_mels=16))

MakeDataset = Callable[..., Dataset]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the clips that the store reads."""
    names: list[str] = []

    def counting(path: Path, sample_rate: int) -> Any:
        names.append(path.name)
        return read_clip(path, sample_rate)

    monkeypatch.setattr(module, "read_clip", counting)
    return names


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 64
    path.write_bytes(content)


def files(store: FeatureStore) -> list[Path]:
    return sorted(store.root.rglob("*.npy"))


def assert_right(clips: ClipSet, dataset: Dataset) -> None:
    """The features are those that the front end gives."""
    assert clips.clips == dataset.clips
    for clip, spectrogram in zip(dataset.clips, clips, strict=True):
        expected = FRONT_END(read_clip(dataset.file(clip), 16000))
        np.testing.assert_array_equal(spectrogram, expected)


def test_gives_what_the_front_end_gives(tmp_path: Path, dataset_at: MakeDataset) -> None:
    dataset = dataset_at(tmp_path / "data")
    clips = FeatureStore(tmp_path / "store").features(dataset, FRONT_END)
    assert len(clips) == 40
    assert clips[0].dtype == np.float32
    assert_right(clips, dataset)


def test_lies_below_the_key_of_the_front_end_by_digest(
    tmp_path: Path, dataset_at: MakeDataset
) -> None:
    dataset = dataset_at(tmp_path / "data", 3)
    store = FeatureStore(tmp_path / "store")
    store.features(dataset, FRONT_END)
    folder = tmp_path / "store" / FRONT_END.key
    digests = [clip.sha256 for clip in dataset.clips]
    assert files(store) == sorted(folder / digest[:2] / f"{digest}.npy" for digest in digests)
    described = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    assert described["name"] == "logmel"
    assert described["n_mels"] == 16


def test_nothing_is_computed_twice(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str]
) -> None:
    dataset = dataset_at(tmp_path / "data", 20)
    half = Dataset(dataset.root, dataset.clips[:10])
    FeatureStore(tmp_path / "store").features(half, FRONT_END)
    assert sorted(read) == sorted(clip.path for clip in half.clips)
    FeatureStore(tmp_path / "store").features(dataset, FRONT_END)
    assert len(read) == 20
    copied = tmp_path / "copy"
    dataset.root.rename(copied)
    twice = FeatureStore(tmp_path / "store").features(Dataset(copied, dataset.clips * 2), FRONT_END)
    assert len(list(twice)) == 40
    assert len(read) == 20


def test_clips_of_the_same_sound_are_computed_once(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str]
) -> None:
    dataset = dataset_at(tmp_path / "data", 2)
    same = dataset.clips[0].model_copy(update={"path": "other.wav"})
    (dataset.root / "other.wav").write_bytes((dataset.root / "0.wav").read_bytes())
    FeatureStore(tmp_path / "store").features(
        Dataset(dataset.root, (*dataset.clips, same)), FRONT_END
    )
    assert len(read) == 2


def test_another_front_end_has_another_folder(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str]
) -> None:
    dataset = dataset_at(tmp_path / "data", 2)
    store = FeatureStore(tmp_path / "store")
    for n_mels in 16, 20, 16:
        clips = store.features(dataset, LogMel(LogMelConfig(n_mels=n_mels)))
        assert len(clips[0]) == n_mels
    assert len(read) == 4


def test_a_new_version_of_a_front_end_has_another_folder(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str]
) -> None:
    class Later(LogMel):
        version = LogMel.version + 1

    dataset = dataset_at(tmp_path / "data", 2)
    store = FeatureStore(tmp_path / "store")
    store.features(dataset, FRONT_END)
    store.features(dataset, Later(FRONT_END.config))
    assert Later(FRONT_END.config).key != FRONT_END.key
    assert len(read) == 4


def test_many_may_ask_at_once(tmp_path: Path, dataset_at: MakeDataset) -> None:
    dataset = dataset_at(tmp_path / "data")

    def compute(_: int) -> list[bytes]:
        clips = FeatureStore(tmp_path / "store").features(dataset, FRONT_END)
        return [spectrogram.tobytes() for spectrogram in clips]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(compute, range(4))
    assert all(other == first for other in others)
    assert len(files(FeatureStore(tmp_path / "store"))) == 40
    assert not list((tmp_path / "store").rglob(".partial*"))


COMPUTE = """
import sys
from pathlib import Path
from asd.config import LogMelConfig
from asd.data.manifest import load
from asd.features.logmel import LogMel
from asd.features.store import FeatureStore

store = FeatureStore(Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
store.features(load(Path(sys.argv[1])), LogMel(LogMelConfig(n_mels=16)))
"""


def test_two_processes_may_fill_it_at_once(tmp_path: Path, dataset_at: MakeDataset) -> None:
    dataset = dataset_at(tmp_path / "data")
    save(dataset.root, dataset.clips)
    store = FeatureStore(tmp_path / "store")
    command = [sys.executable, "-c", COMPUTE, str(dataset.root), str(store.root)]
    pipe = subprocess.PIPE
    other = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "ready\n", other.communicate()[1]
    other.stdin.write("go\n")
    other.stdin.flush()
    assert_right(store.features(dataset, FRONT_END), dataset)
    _, errors = other.communicate()
    assert other.returncode == 0, errors
    assert_right(store.features(dataset, FRONT_END), dataset)
    assert len(files(store)) == 40
    assert not list(store.root.rglob(".partial*"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"something else"),
        lambda path: path.unlink(),
        lambda path: flip(path, 300),
        lambda path: flip(path, -1),
        lambda path: path.write_bytes(path.read_bytes()[:128] + bytes(path.stat().st_size - 128)),
        lambda path: path.write_bytes(sorted(path.parents[1].rglob("*.npy"))[-1].read_bytes()),
    ],
    ids=[
        *("cut short", "header cut", "empty", "foreign", "missing", "a bit", "a bit of the sum"),
        *("zeros", "another clip's"),
    ],
)
def test_a_lost_or_broken_file_is_computed_again(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str], damage: Callable[[Path], object]
) -> None:
    dataset = dataset_at(tmp_path / "data", 6)
    store = FeatureStore(tmp_path / "store")
    asked_before = store.features(dataset, FRONT_END)
    for path in files(store)[:2]:
        damage(path)
    read.clear()
    assert_right(asked_before, dataset)
    assert len(read) == 2
    assert_right(store.features(dataset, FRONT_END), dataset)
    assert len(read) == 2


def test_values_that_are_no_numbers_are_named_and_not_kept(
    tmp_path: Path, dataset_at: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(FRONT_END), "__call__", lambda *_: np.full((4, 5), np.nan, np.float32))
    store = FeatureStore(tmp_path / "store")
    with pytest.raises(FeatureError, match=r"0\.wav: .*no numbers.*store"):
        store.features(dataset_at(tmp_path / "data", 1), FRONT_END)
    assert not files(store)


def test_bad_clips_are_all_named_and_the_good_ones_kept(
    tmp_path: Path, dataset_at: MakeDataset, read: list[str]
) -> None:
    dataset = dataset_at(tmp_path / "data", 40)
    for name in "3.wav", "39.wav":
        (dataset.root / name).write_text("not sound", encoding="utf-8")
    store = FeatureStore(tmp_path / "store")
    with pytest.raises(AudioError, match=r"3\.wav.*39\.wav.*mend") as caught:
        store.features(dataset, FRONT_END)
    assert "\n" not in str(caught.value)
    read.clear()
    good = dataset.select(lambda clip: clip.path not in ("3.wav", "39.wav"))
    store.features(good, FRONT_END)
    assert read == []


def test_a_folder_that_cannot_be_written_to_is_one_line(
    tmp_path: Path, dataset_at: MakeDataset
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("", encoding="utf-8")
    with pytest.raises(FeatureError, match=r"cannot be written .*ASD_CACHE_DIR") as caught:
        FeatureStore(in_the_way).features(dataset_at(tmp_path / "data", 2), FRONT_END)
    assert str(in_the_way) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_leaves_no_part_of_a_file(
    tmp_path: Path, dataset_at: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    store = FeatureStore(tmp_path / "store")
    with pytest.raises(FeatureError, match=r"\(No space left on device\); make room"):
        store.features(dataset_at(tmp_path / "data", 2), FRONT_END)
    assert not files(store)
    assert not list(store.root.rglob(".partial*"))


def test_a_store_at_a_url_gives_its_features_to_other_machines(
    tmp_path: Path, dataset_at: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: asd-platform[scale]")
    dataset = dataset_at(tmp_path / "data", 3)
    url = f"file://{tmp_path}/shared"
    machines = [tmp_path / "one", tmp_path / "other"]
    found = []
    for machine in machines:
        machine.mkdir()
        monkeypatch.chdir(machine)
        found.append(list(FeatureStore(url).features(dataset, FRONT_END)))
        shutil.rmtree(tmp_path / "data", ignore_errors=True)  # nothing can be computed any more
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    shared = tmp_path / "shared" / FRONT_END.key
    assert (shared / "features.json").is_file()
    assert len(list(shared.rglob("*.npy"))) == 3


def test_clips_that_cannot_be_read_are_named_and_the_others_sent(
    tmp_path: Path, dataset_at: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: asd-platform[scale]")
    monkeypatch.chdir(tmp_path)
    dataset = dataset_at(tmp_path / "data", 3)
    dataset.file(dataset.clips[0]).write_bytes(b"no sound")
    with pytest.raises(AudioError, match="mend these clips"):
        FeatureStore(f"file://{tmp_path}/shared").features(dataset, FRONT_END)
    assert len(list((tmp_path / "shared").rglob("*.npy"))) == 2
