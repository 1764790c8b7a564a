"""How far long work is: a bar in a terminal, and a line now and then in a log."""

import logging
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from asd.language import tr
from asd.text import duration

EVERY_S = 30.0
"""Seconds between two lines where there is no terminal."""

logger = logging.getLogger(__name__)


class ProgressBar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm that speaks through logging where nobody sees it move.

    Parameters
    ----------
    iterable : iterable, optional
        What is gone through.
    **options
        As for `tqdm.tqdm`: ``desc``, ``total``, ``unit``, ``initial``.
    """

    monitor_interval = 0
    """No thread of tqdm's own: it would be there in every worker and server."""

    def __init__(self, iterable: Iterable[Any] | None = None, **options: Any) -> None:
        self._terminal = sys.stderr.isatty()
        if logging.getLogger("asd").level > logging.INFO:
            options["disable"] = True  # the step was told to be quiet
        options.setdefault("delay", 0.5)
        if not self._terminal:
            options |= {"mininterval": EVERY_S, "maxinterval": EVERY_S, "delay": EVERY_S}
        super().__init__(iterable, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar, or log a line."""
        if self._terminal:
            super().display(msg, pos)
            return
        state = self.format_dict
        n, total, rate = state["n"], state["total"], state["rate"]
        if n and total and n < total:
            done = n - state["initial"]
            line = tr("{what}: {n} of {total}", what=self.desc.rstrip(": "), n=n, total=total)
            if done > 1:  # the first is no measure: workers start with it
                speed = rate or done / max(state["elapsed"], 1e-9)
                line += tr(", about {time} left", time=duration((total - n) / speed))
            logger.info(line)

    def close(self) -> None:
        """End it; nothing is written where there is no terminal."""
        if not self._terminal:
            self.disable = True
        super().close()
