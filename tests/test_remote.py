"""Folders at URLs: whole or not at all, and only what has changed goes over the network."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from asd.cli.early import check
from asd.cli.edges import at_hand
from asd.config.steps import CompareConfig, PreprocessConfig, TrainConfig
from asd.data.manifest import MANIFEST_NAME
from asd.errors import ConfigError, DataError, OutputError
from asd.language import speaking
from asd.remote import MARK, RemoteFolder, is_url

pytest.importorskip("fsspec", reason="fsspec is not installed: asd-platform[scale]")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder behind ``url_of``, which plays the store; the present folder is another one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "store" / "pump"


def url_of(folder: Path) -> str:
    return f"file://{folder}"


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("s3://b/x", True), ("memory://x", True), ("data/x", False), ("C://x", False), (3, False)],
)
def test_an_address_is_told_from_a_path(text: object, expected: bool) -> None:
    assert is_url(text) is expected


def test_what_was_sent_is_fetched_again(there: Path) -> None:
    remote = RemoteFolder(url_of(there))
    write(remote.copy, a="1", sub__b="2")
    assert remote.send(MANIFEST_NAME) == 2
    assert content(there) == {"a": "1", "sub/b": "2"}
    (remote.copy / "a").write_text("changed here")
    (remote.copy / "more").write_text("made here")
    assert content(remote.fetch()) == {"a": "1", "sub/b": "2"}


def test_only_what_has_changed_goes_over_the_network(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(there, a="1", b="2")
    remote = RemoteFolder(url_of(there))
    remote.fetch()
    moved: list[str] = []
    for verb in ("get_file", "put_file"):
        whole = getattr(remote._fs, verb)

        def noted(source: str, target: str, whole: Any = whole, verb: str = verb) -> None:
            moved.append(f"{verb} {Path(source if verb == 'get_file' else target).name}")
            whole(source, target)

        monkeypatch.setattr(remote._fs, verb, noted)
    remote.fetch()
    assert remote.send(MANIFEST_NAME) == 0
    assert moved == []
    (there / "a").write_text("longer")
    remote.fetch()
    (remote.copy / "b").write_text("also longer")
    assert remote.send(MANIFEST_NAME) == 1
    assert moved == ["get_file a", "put_file b"]
    assert content(there) == {"a": "longer", "b": "also longer"}


def test_a_file_may_stand_at_a_url(there: Path) -> None:
    write(there, **{"a.wav": "sound"})
    assert RemoteFolder(url_of(there / "a.wav")).fetch().read_text() == "sound"


def cut_short(remote: RemoteFolder, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send, and lose the network at a file."""
    whole = remote._fs.put_file

    def put(source: str, target: str) -> None:
        if Path(target).name == at:
            raise ConnectionError("the network is gone")
        whole(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(remote._fs, "put_file", put)
        with pytest.raises(OutputError, match=r"cannot be written .*the network is gone"):
            remote.send(MANIFEST_NAME)


@pytest.mark.parametrize("at", ["b", MANIFEST_NAME])
def test_what_was_cut_short_is_never_taken_for_whole(
    at: str, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(there, a="old", **{MANIFEST_NAME: "old"})
    remote = RemoteFolder(url_of(there))
    remote.fetch()
    write(remote.copy, a="new", b="new", **{MANIFEST_NAME: "new"})
    cut_short(remote, at, monkeypatch)
    assert (there / MANIFEST_NAME).read_text() == "old"
    with pytest.raises(DataError, match="is not whole"):
        RemoteFolder(url_of(there)).fetch()
    # The step that makes it finds what it had made, and sends the rest.
    assert content(remote.prepare())[MANIFEST_NAME] == "new"
    remote.send(MANIFEST_NAME)
    assert content(there) == {"a": "new", "b": "new", MANIFEST_NAME: "new"}
    assert content(RemoteFolder(url_of(there)).fetch()) == content(there)


def test_files_that_are_no_more_go_there_too(there: Path) -> None:
    write(there, a="1", b="2")
    remote = RemoteFolder(url_of(there))
    remote.fetch()
    (remote.copy / "a").unlink()
    remote.send(MANIFEST_NAME)
    assert content(there) == {"b": "2"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://key:secret@bucket/pump", "holds a secret"),
        ("s3://", "names no folder"),
        ("nosuch://bucket/pump", "no address of files"),
    ],
)
def test_addresses_that_cannot_be_used_are_one_line(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        RemoteFolder(url)
    assert "secret@" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_there_is_one_line(there: Path) -> None:
    with pytest.raises(DataError, match="nothing is there; check the address"):
        RemoteFolder(url_of(there)).fetch()


def test_what_a_store_refuses_is_told_in_the_language_of_the_command(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(there, **{"a.wav": "sound"})
    folder = RemoteFolder(url_of(there))
    monkeypatch.setattr(folder._fs, "find", Mock(side_effect=PermissionError("no entry")))
    reason = r"\(PermissionError: no entry\)"
    with pytest.raises(DataError, match=f"cannot be read {reason}; check the address"):
        folder.fetch()
    with speaking("ja"), pytest.raises(DataError, match=f"読めません {reason}。アドレス"):
        folder.fetch()


def test_a_step_gets_folders_and_its_output_is_sent(there: Path) -> None:
    write(there / "in", **{"a.wav": "sound"})
    urls = {key: url_of(there / key) for key in ("in", "out")}
    config = PreprocessConfig(source=urls["in"], output=urls["out"])
    check(config)  # nothing is known yet of what is elsewhere
    with at_hand(config) as local:
        assert (Path(local.source) / "a.wav").read_text() == "sound"
        write(Path(local.output), x="1", **{MANIFEST_NAME: "rows"})
        assert not (there / "out").exists()
    assert content(there / "out") == {"x": "1", MANIFEST_NAME: "rows"}


def test_nothing_is_sent_of_a_step_that_failed(there: Path) -> None:
    write(there / "in", **{"a.wav": "sound"})
    config = PreprocessConfig(source=url_of(there / "in"), output=url_of(there / "out"))

    def fail() -> None:
        with at_hand(config) as local:
            write(Path(local.output), x="1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (there / "out").exists()


def test_what_stands_at_the_output_is_there_for_the_step_to_refuse(there: Path) -> None:
    write(there / "out", **{MANIFEST_NAME: "rows"})
    with at_hand(PreprocessConfig(source="x", output=url_of(there / "out"))) as local:
        assert content(Path(local.output)) == {MANIFEST_NAME: "rows"}


def test_several_addresses_and_plain_folders_go_together(there: Path) -> None:
    write(there, a="1")
    config = CompareConfig(models=("knn",), data=(url_of(there), "data/fan"))
    with at_hand(config) as local:
        assert local.data == (str(RemoteFolder(url_of(there)).copy), "data/fan")
    with at_hand(plain := TrainConfig()) as local:
        assert local == plain


def test_an_index_that_cannot_be_read_is_made_again(there: Path) -> None:
    write(there, a="1")
    remote = RemoteFolder(url_of(there))
    remote.fetch()
    [index] = Path(".cache/remote/.index").rglob("pump.json")
    index.write_text("{")
    assert content(remote.fetch()) == {"a": "1"}
    assert json.loads(index.read_text()).keys() == {"a"}


def test_the_mark_is_there_before_the_first_file(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = RemoteFolder(url_of(there))
    write(remote.copy, a="1")
    marked: list[bool] = []
    whole = remote._fs.put_file

    def put(source: str, target: str) -> None:
        marked.append((there / MARK).exists())
        whole(source, target)

    monkeypatch.setattr(remote._fs, "put_file", put)
    remote.send(MANIFEST_NAME)
    assert marked == [True]
    assert not (there / MARK).exists()


def test_folders_at_urls_may_lie_in_each_other(there: Path) -> None:
    write(there, a="1", inner__b="2")
    inner, outer = RemoteFolder(url_of(there / "inner")), RemoteFolder(url_of(there))
    inner.fetch()
    assert content(outer.fetch()) == {"a": "1", "inner/b": "2"}
    inner.send(MANIFEST_NAME)
    outer.send(MANIFEST_NAME)
    assert content(there) == {"a": "1", "inner/b": "2"}
