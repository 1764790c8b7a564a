"""What a server has done, for Prometheus."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

logger = logging.getLogger(__name__)

PORT = "ASD_METRICS_PORT"
"""Environment variable with the port on which a server of a model tells its figures."""


class Figures:
    """Counts rows by what came of them, and takes their time.

    Parameters
    ----------
    registry : CollectorRegistry
        What is told.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Counter("asd_rows", "Rows by outcome.", ["outcome"], registry=registry)
        self._heard = Counter("asd_sound_seconds", "Seconds of sound judged.", registry=registry)
        self._taken = Histogram("asd_row_seconds", "Seconds to judge a row.", registry=registry)

    @contextmanager
    def row(self) -> Iterator[dict[str, Any]]:
        """Context manager: gives a dict that the answer is put into within the block."""
        started, answer = time.perf_counter(), dict[str, Any]()
        yield answer
        self._taken.observe(time.perf_counter() - started)
        outcomes = {True: "alarm", False: "normal", None: "error"}
        self._rows.labels(outcomes[answer["is_anomaly"]]).inc()
        self._heard.inc(answer["duration_s"] or 0)


def told_figures() -> Figures:
    """Figures of this process, told on the port that ``ASD_METRICS_PORT`` names, if it is set."""
    registry = CollectorRegistry()
    port = os.environ.get(PORT, "")
    if port:
        try:
            start_http_server(int(port), registry=registry)
        except (ValueError, OverflowError, OSError) as error:
            # Of several workers one has the port; judging goes on without.
            logger.warning("%s=%s: no figures of this process are told (%s)", PORT, port, error)
    return Figures(registry)
