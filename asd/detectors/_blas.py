"""Products of many small matrices, each on one thread."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np  # noqa: F401 - the library that is limited must be loaded
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_thread() -> AbstractContextManager[Any]:
    """Context manager: linear algebra uses one thread within the block.

    To share a product of small matrices among threads costs more than it gains, and where other
    processes want the processor too, twenty times as much. Results do not depend then on how many
    processors there are.
    """
    limiter: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limiter


@cache
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes milliseconds, too long for each score.
    return ThreadpoolController()
