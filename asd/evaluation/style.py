"""One look for all figures: colours that the colour-blind can tell apart, a font with Japanese."""

import functools
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from asd.language import tr

P = ParamSpec("P")
R = TypeVar("R")

# The palette of Okabe and Ito (2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#BDBDBD"

NORMAL, ANOMALY = BLUE, VERMILLION
GROUPS = (SKY, GREEN, ORANGE, PURPLE, BLUE, YELLOW, "#7F7F7F")
"""Colours of conditions; the colour of anomalies is not among them."""

FONTS = ["DejaVu Sans", "IPAexGothic"]
"""The second is asked for characters that the first lacks."""

DECADES = 50.0
"""Scores that span more than this factor are drawn on a logarithmic scale."""

_LOOK: dict[str, Any] = {
    "font.family": FONTS,
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def score_label() -> str:
    """What an axis of anomaly scores is called."""
    return tr("Anomaly score (higher = more unusual)")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator: run `draw` with the project's look, and leave matplotlib's settings alone."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        _register_font()
        with mpl.rc_context(_LOOK):  # type: ignore[arg-type] # its keys are literals
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width: float = 8.0, height: float = 4.8) -> Figure:
    """An empty figure of that size in inches, outside pyplot so that nothing has to be closed."""
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def drawn(figure: Figure) -> Any:
    """A canvas with the figure on it: a `FigureCanvasAgg`, which has no types."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def named(figure: Figure, text: str) -> Figure:
    """Say above a figure what it is of: detector and data set."""
    first = figure.axes[0]
    with mpl.rc_context(_LOOK):  # type: ignore[arg-type] # its keys are literals
        first.set_title(f"{text}\n{first.get_title(loc='left')}".rstrip(), loc="left")
    return figure


def tidy(axes: Axes, grid: str | None = "y") -> Axes:
    """Set what matplotlib reads only when drawing: the font of tick labels; and a faint grid."""
    axes.tick_params(labelsize=9, labelfontfamily=FONTS)
    if grid:
        axes.grid(axis=grid, color="#E5E5E5", linewidth=0.8)  # type: ignore[arg-type]
    return axes


def score_scale(scores: ArrayLike) -> dict[str, Any]:
    """The axis scale on which both usual and extreme scores can be seen.

    Parameters
    ----------
    scores : array_like, shape (n,)
        All that will be drawn.

    Returns
    -------
    dict
        Keyword arguments of ``Axes.set_xscale`` and ``set_yscale``: linear; where the scores span
        decades, logarithmic; or, where some are not positive (likelihoods), linear around 0 and
        logarithmic beyond.
    """
    values = np.asarray(scores, dtype=float)
    sizes = np.abs(values)
    typical = float(np.median(sizes))
    if typical <= 0 or float(sizes.max()) / typical < DECADES:
        return {"value": "linear"}
    if values.min() > 0:
        return {"value": "log"}
    # At a power of ten, or the ticks crowd around 0.
    return {"value": "symlog", "linthresh": 10.0 ** np.ceil(np.log10(typical))}


def shorten(name: str, length: int = 24) -> str:
    """`name` with its middle left out where it is longer than `length` characters.

    Examples
    --------
    >>> shorten("burner_2024-05-01_0003_noisy_knock.wav", 15)
    'burner_…ock.wav'
    """
    if len(name) <= length:
        return name
    tail = length // 2
    return f"{name[: length - tail - 1]}…{name[-tail:]}"


def japanese_font() -> Path:
    """The file of a font with Japanese characters, IPAexGothic."""
    # Importing matplotlib_fontja would change the font of the whole process; its file will do.
    spec = find_spec("matplotlib_fontja")
    assert spec is not None  # nosec B101 # a dependency, so it is installed
    assert spec.origin is not None  # nosec B101 # and it has a file
    return Path(spec.origin).parent / "fonts" / "ipaexg.ttf"


@functools.cache
def _register_font() -> None:
    font_manager.fontManager.addfont(japanese_font())
