"""Fixtures shared by all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("tests.media",)

# The same examples in every run: a failure is a change's, not the day's.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Give the folder of a set of real recordings, or skip where they are absent."""

    def find(name: str) -> Path:
        root = Path(os.environ.get("ASD_DATA_DIR", PROJECT.parent / "shared" / "data"))
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"real recordings not found at {folder}; set ASD_DATA_DIR to use them")
        return folder

    return find
