"""Tests speak English, whatever the language of the machine; those of Japanese ask for it."""

import gc
import os
from collections.abc import Iterator

import pytest

os.environ["ASD_LANG"] = "en"
# Processes take seconds to start, longer than the work of most tests; those of them ask for some.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"


@pytest.fixture(autouse=True)
def garbage_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect no garbage during a doctest, which walks through `linecache` when it begins.

    SQLAlchemy takes the source of each class that is collected out of it: the walk fails there.
    """
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
