"""Fixtures shared by all tests."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

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


def group_of(nodeid: str) -> str:
    """What a test is run together with: its file, or the files of its entry of `TOGETHER`."""
    file = nodeid.partition("::")[0]
    found = (name for name, files in TOGETHER.items() if file.startswith(files))
    return next(found, file)


class Files(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each process whole groups of tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    """Say how processes share the tests."""
    return Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: no process is left with it when others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


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
