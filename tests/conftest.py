"""Fixtures shared by all tests."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("tests.media",)

# The same examples in every run: a failure is a change's, not the day's.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

PROJECT = Path(__file__).resolve().parents[1]
LONG = ("tests/golden/", "tests/e2e/", "tests/steps/")
TOGETHER = {
    "a user's way": ("tests/e2e/test_mlflow_run.py", "tests/e2e/serving/"),
    "two models": tuple(f"tests/steps/test_{name}.py" for name in ("gates", "promote", "registry")),
}
"""Files that share what is slow to make."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process have files whole, and together where they share; what takes long first.

    No process is to be left with something long when others are done.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    for item in items:
        file = item.nodeid.partition("::")[0]
        found = (name for name, files in TOGETHER.items() if file.startswith(files))
        item.add_marker(pytest.mark.xdist_group(next(found, file)))


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


@pytest.fixture
def threads() -> Callable[[int], AbstractContextManager[None]]:
    """Give a context manager that sets how many threads torch and linear algebra use."""
    # These take seconds to load, and few tests need them.
    import scipy.linalg  # noqa: F401
    import torch
    from threadpoolctl import threadpool_limits

    @contextmanager
    def use(count: int) -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            with threadpool_limits(count, user_api="blas"):
                yield
        finally:
            torch.set_num_threads(before)

    return use
