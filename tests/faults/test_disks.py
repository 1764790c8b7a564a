"""On a disk that is full or not writable a step ends in one line, and with room again it works."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Commands
from tests.faults.place import Place
from tests.faults.test_kills import CHAMPION, PREPROCESS, STEPS, TRAIN

pytestmark = pytest.mark.skipif(
    os.environ.get("ASD_TEST_FAULTS") != "1", reason="takes long; make test-faults runs it"
)

READ_ONLY = "read-only"
AUGMENT = ("augment", "--data=data/m", "--output=other/a", "--pitch=2")
WRITTEN: dict[str, tuple[Commands, tuple[str, ...], str, tuple[str, ...]]] = {
    "output of preprocess": ((), PREPROCESS, "data", ("40k", "300k", READ_ONLY)),
    "output of extract": ((), STEPS["extract"][1], "data", ("40k", "300k", READ_ONLY)),
    "output of augment": ((PREPROCESS,), AUGMENT, "other", ("300k", READ_ONLY)),
    "features": ((PREPROCESS,), TRAIN, ".cache/features", ("40k", READ_ONLY)),
    "artifacts": ((PREPROCESS,), TRAIN, "mlruns", ("200k", "900k", READ_ONLY)),
    "scores": (CHAMPION, ("score", "--source=source"), "scores", ("8k", READ_ONLY)),
}
CASES = [(name, size) for name, (*_, sizes) in WRITTEN.items() for size in sizes]


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[], None]]:
    """A small disk in place of a folder, with what the folder holds; gives what makes room."""
    kept = folder.with_name("kept")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    room = "200m" if size == READ_ONLY else size
    command = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        if size == READ_ONLY:
            remount(folder, "ro")
        yield lambda: remount(folder, "rw,size=200m")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_disk_that_cannot_be_written(
    name: str,
    size: str,
    place_of: Callable[[Commands], Place],
    row: Callable[..., None],
) -> None:
    before, words, folder, _ = WRITTEN[name]
    place = place_of(before)
    with disk(place.root / folder, size) as make_room:
        assert place.run(*words) == 2, place.said(words)
        said = place.said(words)
        [line] = [line for line in said.splitlines() if line.startswith("error:")]
        assert "cannot be written" in line
        assert "Traceback" not in said
        assert (place.running(), place.left()) == ([], [])
        make_room()
        place.do(*words)
        assert (place.running(), place.left()) == ([], [])
    row(name, f"disk of {size}", "one line; works with room again")


@pytest.mark.parametrize("size", ["8k", READ_ONLY])
def test_checkpoints_that_cannot_be_written_are_a_warning(
    size: str, place_of: Callable[[Commands], Place], row: Callable[..., None]
) -> None:
    before, words, _ = STEPS["network"]
    place = place_of(before)
    with disk(place.root / ".cache" / "checkpoints", size):
        place.do(*words)
        assert "the checkpoint is not kept" in place.said(words)
    row("checkpoints", f"disk of {size}", "a warning; the training goes on")
