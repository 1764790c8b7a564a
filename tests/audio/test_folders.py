"""Walking a folder: links are followed once, and what cannot be entered is told."""

from pathlib import Path

import pytest

from asd.audio.folders import AUDIO_SUFFIXES, find_audio, walk
from asd.errors import DataError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk(root).files]


def told(root: Path) -> dict[str, str]:
    return {
        left.path.relative_to(root).as_posix(): f"{left.noun} {left.why}".strip()
        for left in walk(root).left_out
    }


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    root, nas = tmp_path / "root", tmp_path / "nas"
    touch(root / "a.wav", nas / "good" / "1.wav", nas / "bad" / "2.wav")
    (root / "normal").symlink_to(nas / "good")
    (root / "normal again").symlink_to(nas / "good")
    (root / "bad").symlink_to(nas / "bad")
    assert names(root) == ["a.wav", "bad/2.wav", "normal/1.wav"]
    assert told(root) == {"normal again": "link to a folder that is searched anyway"}


def test_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root / "day" / "1.wav", tmp_path / "outside" / "2.wav")
    (root / "day" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "above").symlink_to(tmp_path)
    (root / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "back").symlink_to(root)
    assert names(root) == ["day/1.wav", "out/2.wav"]
    assert set(told(root)) == {"day/up", "self", "above", "out/back"}


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "1.wav", tmp_path / "shut" / "2.wav", tmp_path / ".hidden" / "3.wav")
    touch(tmp_path / "._1.wav")
    (tmp_path / "4.wav").symlink_to("annex/4.wav")
    inside = Path.iterdir

    def denied(path: Path) -> object:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied")
        return inside(path)

    monkeypatch.setattr(Path, "iterdir", denied)  # tests run as root read every folder
    assert names(tmp_path) == ["1.wav"]
    assert told(tmp_path) == {
        "shut": "folder that cannot be read",
        "._1.wav": "hidden file",
        "4.wav": "link to a file that is not there",
    }


def test_recordings_are_found_sorted_at_any_depth_but_not_hidden_ones(tmp_path: Path) -> None:
    names = ["b/ポンプ.MP4", "a.wav", "b/c/d.flac"]
    for name in [*names, ".hidden.wav", ".git/x.wav", ".partial-1.wav", "notes.txt", "._a.wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert find_audio(tmp_path) == sorted(tmp_path / name for name in names)
    assert find_audio(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in AUDIO_SUFFIXES)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=rf"{tmp_path}: no recordings .*\.mp4.*\.wav"):
        find_audio(tmp_path)
    with pytest.raises(DataError, match="none: no such file or folder; check source"):
        find_audio(tmp_path / "none")
