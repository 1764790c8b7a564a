"""What a step leaves out here because it costs most of the time, and changes nothing on the disk.

Pictures are written, and are white; a sweep invents few anomalies; a promotion reloads its model
in its own process.
"""

from unittest.mock import patch

from matplotlib.figure import Figure

from asd.evaluation.style import new_figure
from tests.shortcuts import scores_here


def lighten(reload_apart: bool) -> None:
    """Make the steps of this process cheap, for good.

    Parameters
    ----------
    reload_apart : bool
        Let a promotion start a process that reloads its model, as it does for users.
    """
    patch.object(Figure, "draw", lambda *_: None).start()
    patch("asd.evaluation.plots.Explanations", lambda *_: lambda *_: new_figure()).start()
    patch("asd.search.pseudo_anomalies.LEAST", 8).start()
    if not reload_apart:
        patch("asd.tracking.fresh.fresh_scores", scores_here).start()
