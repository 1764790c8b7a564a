"""What the fuzzer has found, and where it begins, is answered in one line or decoded."""

from pathlib import Path

import pytest

from asd.audio.decode import read
from tests.fuzz.seeds import write_seeds
from tests.fuzz.target import fault_of, handle

FOUND = sorted((Path(__file__).parent / "found").glob("[!.]*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_found(path: Path) -> None:
    assert fault_of(path) == ""


def test_seeds(tmp_path: Path) -> None:
    for path in write_seeds(tmp_path):
        handle(path.read_bytes())
        samples, _ = read(path)
        assert samples.std() > 0.1, path.name


def test_a_fault_is_noticed(tmp_path: Path) -> None:
    assert "FileNotFoundError" in fault_of(tmp_path / "nothing there")
