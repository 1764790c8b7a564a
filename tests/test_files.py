"""Files appear whole or not at all, and what stands in the way is one line."""

import csv
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd import locks
from asd.errors import OutputError
from asd.files import atomic_path, cell, check_writable, plain_text, write_csv
from asd.text import printable


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith(locks.PARTIAL))


@pytest.fixture(autouse=True)
def _each_test_is_a_process() -> None:
    locks.remove_remains.cache_clear()


PLACES: list[Callable[[Path], Path]] = [
    lambda folder: folder / "a file" / "x.txt",
    lambda folder: folder / ("x" * 300),
    lambda folder: folder / ("x" * 300) / "x.txt",
    lambda folder: folder / "nul\0" / "x.txt",
    lambda folder: folder / "loop" / "x.txt",
    lambda _: Path("/proc/asd/x.txt"),
]


@pytest.mark.parametrize("place", PLACES, ids=["file", "name", "folder", "nul", "loop", "proc"])
def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "loop").symlink_to("loop")
    target = place(tmp_path)
    with pytest.raises(OutputError) as caught, atomic_path(target) as partial:
        partial.write_text("never")
    assert "\n" not in str(caught.value)
    assert printable(str(target)) in str(caught.value)
    with pytest.raises(OutputError, match=r"^output="):
        check_writable(target, "output")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_while_writing_is_one_line(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(OutputError, match=r"x\.txt: cannot be written"),
        atomic_path(tmp_path / "x.txt"),
    ):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_another_file_is_not_said_of_this_one(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_path(tmp_path / "x.txt"):
        raise PermissionError(errno.EACCES, "Permission denied", "source.wav")


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b", "output")
    assert list(tmp_path.iterdir()) == []


def test_what_the_dead_left_is_removed_and_what_the_living_make_stays(tmp_path: Path) -> None:
    (tmp_path / ".partial-dead.wav").write_bytes(b"half")
    (tmp_path / ".partial-folder" / "pieces").mkdir(parents=True)
    living = tmp_path / ".partial-living"
    living.mkdir()
    handle = locks.hold(living)
    assert handle is not None
    with atomic_path(tmp_path / "x.txt") as partial:
        partial.write_text("whole")
        locks.remove_remains.cache_clear()
        locks.remove_remains(tmp_path)
        assert partial.exists()
    assert left(tmp_path) == [".partial-living"]
    locks.release(handle)


def test_a_lock_is_one_processes_own_until_it_gives_it_back(tmp_path: Path) -> None:
    first = locks.hold(tmp_path)
    assert first is not None
    assert locks.hold(tmp_path) is None
    locks.release(first)
    second = locks.hold(tmp_path)
    assert second is not None
    locks.release(second)
    assert locks.hold(tmp_path / "nowhere") is None


HOSTILE = ["=1+1", "+1+1", "@SUM(A1)", "-2+3", "\t=1", "a\nb", "\x1b[31mred", "\udc83|\udc93.wav"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_holds_any_name_and_no_formula(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "t.csv", ["name", "dB"], [[name, -3.5], [Path(name), None]])
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        _, row, other = list(csv.reader(file))
    assert row[0][0] not in "=+-@\t\r"
    assert (row[1], other) == ("-3.5", [row[0], ""])
    assert not set(row[0]) & {"\n", "\x1b", "\t"}


@given(st.text())
def test_a_name_is_read_back_from_a_table_as_it_was_printed(name: str) -> None:
    kept = cell(name)
    assert isinstance(kept, str)
    known = plain_text(name)
    assert plain_text(kept) == known or kept == name
    assert plain_text(known) == known or known.startswith("'")
    kept.encode()


def test_numbers_stay_numbers() -> None:
    assert [cell(value) for value in (-3, -0.5, None, True, "-3.5", "1e-5")] == [
        *(-3, -0.5, None, True, "-3.5", "1e-5"),
    ]
