"""Under the name of a data set stands the old one or the new one, at every moment."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from asd import locks
from asd.data import manifest, output
from asd.data.manifest import Clip
from asd.data.output import check_output, whole_folder
from asd.errors import DataError, OutputError


def fill(folder: Path, name: str) -> None:
    (folder / "train").mkdir()
    (folder / "train" / name).write_text(name)
    row = {"path": f"train/{name}", "recording": name, "start_s": 0, "duration_s": 1}
    clip = Clip.model_validate({**row, "split": "train", "label": "normal", "sha256": "0" * 64})
    manifest.save(folder, [clip])


def make(folder: Path, name: str, overwrite: bool = True) -> None:
    check = partial(check_output, folder, folder.parent / "source", overwrite)
    with whole_folder(folder, check) as made:
        fill(made, name)


def clips(folder: Path) -> list[str]:
    return [clip.recording for clip in manifest.load(folder).clips]


class Killed(BaseException):
    pass


def stop_at(number: int, before: bool) -> Callable[..., Callable[..., object]]:
    """Stand-ins for the calls that change names: the process ends before or after one of them."""
    seen = [0]

    def wrap(call: Callable[..., object]) -> Callable[..., object]:
        def stopped(*args: object, **named: object) -> object:
            seen[0] += 1
            if seen[0] == number and before:
                raise Killed
            result = call(*args, **named)
            if seen[0] == number:
                raise Killed
            return result

        return stopped

    return wrap


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("number", [1, 2])
def test_a_halt_at_any_change_of_names_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, before: bool, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(output, "_exchange", lambda *_: False)
    place = tmp_path / "d"
    make(place, "old")
    with monkeypatch.context() as patch:
        wrap = stop_at(number, before)
        patch.setattr(output, "_put", stopping(output._put, wrap, patch))
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # who is killed removes nothing
        with suppress(Killed):
            make(place, "new")
    if exchange:
        assert clips(place) in (["old"], ["new"])
    make(place, "newer")
    assert clips(place) == ["newer"]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def stopping(
    put: Callable[[Path, Path], None],
    wrap: Callable[..., Callable[..., object]],
    patch: pytest.MonkeyPatch,
) -> Callable[[Path, Path], None]:
    def stopped(*args: Path) -> None:
        patch.setattr(Path, "replace", wrap(Path.replace))
        patch.setattr(output, "_exchange", wrap(output._exchange))
        put(*args)

    return stopped


def test_a_failed_replacement_by_two_renames_is_undone_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_exchange", lambda *_: False)
    make(tmp_path / "d", "old")
    (tmp_path / "d").rename(tmp_path / f".old-{output._mark(tmp_path / 'd')}")
    with pytest.raises(DataError, match="overwrite=true"):
        make(tmp_path / "d", "new", overwrite=False)
    assert clips(tmp_path / "d") == ["old"]


def test_of_two_commands_at_once_the_second_is_refused(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "d", lambda: None) as made:
        fill(made, "first")
        with pytest.raises(OutputError, match=r"output=.*/d: another command is making it"):
            make(tmp_path / "d", "second")
        make(tmp_path / "e", "another")
    assert clips(tmp_path / "d") == ["first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "e"]


@pytest.mark.parametrize("name", ["notes.txt", "other/manifest.csv", "train/mine.txt"])
def test_what_others_have_put_there_is_not_taken_away(tmp_path: Path, name: str) -> None:
    make(tmp_path / "d", "old")
    (tmp_path / "d" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "d" / name).write_text("mine")
    with pytest.raises(DataError, match=f"holds {name.partition('/')[0]}.*no part of its data set"):
        make(tmp_path / "d", "new")
    assert (tmp_path / "d" / name).read_text() == "mine"
    assert clips(tmp_path / "d") == ["old"]


def test_what_killed_commands_left_beside_it_is_removed(tmp_path: Path) -> None:
    locks.remove_remains.cache_clear()
    (tmp_path / ".partial-0123" / "pieces").mkdir(parents=True)
    make(tmp_path / "d", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    make(tmp_path / "d", "old")
    (tmp_path / "link").symlink_to("d")
    make(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert clips(tmp_path / "d") == ["new"]


@pytest.mark.parametrize(
    "name", ["../outside.wav", "/etc/hosts", "train/../../outside.wav", "link"]
)
def test_a_manifest_names_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    make(tmp_path / "d", "old")
    (tmp_path / "outside.wav").touch()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "outside.wav")
    table = tmp_path / "d" / manifest.MANIFEST_NAME
    table.write_text(table.read_text().replace("train/old", name))
    with pytest.raises(DataError, match="leads out of") as caught:
        manifest.load(tmp_path / "d")
    assert "\n" not in str(caught.value)


def test_a_data_set_may_lie_behind_a_link(tmp_path: Path) -> None:
    make(tmp_path / "d", "old")
    (tmp_path / "link").symlink_to("d")
    assert clips(tmp_path / "link") == ["old"]
