"""The digest of a model's files: by hand, and what changes it."""

import hashlib
from pathlib import Path

import pytest

from asd.tracking.digest import changed, model_digest

FILES = {"MLmodel": b"one", "code/a.py": b"two", "code/a/b.py": b"three", "code.txt": b""}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "model"


def digest_of(*names: str) -> str:
    lines = (f"{name}\x1f{hashlib.sha256(FILES[name]).hexdigest()}\x1e" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_it_is_over_names_and_contents_in_the_order_of_the_names_of_folders(model: Path) -> None:
    assert model_digest(model) == digest_of("MLmodel", "code/a/b.py", "code/a.py", "code.txt")
    assert model_digest(model, "MLmodel") == digest_of("code/a/b.py", "code/a.py", "code.txt")


def test_what_loading_adds_does_not_count_and_all_else_does(model: Path) -> None:
    before = model_digest(model)
    (model / "code/__pycache__").mkdir()
    (model / "code/__pycache__/a.pyc").write_bytes(b"x")
    (model / "registered_model_meta").write_bytes(b"x")
    assert model_digest(model) == before
    (model / "code/a").rename(model / "code/c")
    assert model_digest(model) != before


def test_a_model_that_is_gone_is_changed(model: Path, tmp_path: Path) -> None:
    recorded = model_digest(model)
    assert changed("models:/m", model, recorded) == ""
    assert "restore" in changed("models:/m", tmp_path / "gone", recorded)
