"""Figures: they say what they should, in any script, and leave nothing behind."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from asd.config import LogMelConfig, ThresholdConfig
from asd.decision.thresholds import fit_threshold
from asd.errors import DataError
from asd.evaluation import plots
from asd.evaluation.metrics import metrics
from asd.evaluation.page.media import INCHES, image, picture
from asd.evaluation.plots import Scale
from asd.evaluation.style import GROUPS, score_scale
from asd.evaluation.table import ScoreTable
from asd.features.base import Axes
from asd.features.logmel import LogMel

MakeTable = Callable[..., ScoreTable]
Row = tuple[str, float, dict[str, Any]]


def words(figure: Figure) -> str:
    """Draw the figure, and give all the text in it; a glyph without a font would warn."""
    figure.savefig(io.BytesIO(), format="png")
    texts = figure.findobj(Text)
    return "\n".join(t.get_text() for t in texts if isinstance(t, Text) and t.get_visible())


def test_roc_curve_shows_areas_and_operating_point(make_table: MakeTable) -> None:
    rows: list[Row] = [("normal", s, {}) for s in (0.1, 0.2, 0.3, 0.9)]
    rows += [("anomaly", s, {}) for s in (0.25, 0.95)]
    figure = plots.roc_curve(make_table(rows))
    text = words(figure)
    assert "AUC 0.750" in text
    assert "50% found, 25.0% false alarms" in text
    dot = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert np.asarray(dot.get_xydata()).tolist() == [[0.25, 0.5]]
    with pytest.raises(DataError, match="needs normal and anomalous"):
        plots.roc_curve(make_table(rows[:4]))


@pytest.mark.parametrize("n", [20, 2000])
def test_bars_stand_in_order_of_group_and_score(random_table: MakeTable, n: int) -> None:
    table = random_table(n)
    figure = plots.score_bars(table, "pitch")
    text = words(figure)
    bars = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    heights = np.array([np.asarray(path.vertices)[1, 1] for path in bars.get_paths()])
    pitch = np.array([clip.pitch_semitones for clip in table.clips])
    expected = np.lexsort([table.scores, pitch, np.abs(pitch)])
    assert heights == pytest.approx(table.scores[expected])
    colours = [to_hex(colour).upper() for colour in np.asarray(bars.get_facecolor())]
    shifts = sorted(set(pitch), key=lambda shift: (abs(shift), shift))
    assert colours == [GROUPS[shifts.index(pitch[row])] for row in expected]
    band = figure.axes[1].images[0].get_array()
    assert band is not None
    assert (np.asarray(band)[0] == 2).tolist() == table.anomalous[expected].tolist()
    assert ("バーナー燃焼音_0001.wav" in text) == (n == 20)
    assert "-3 semitones" in text


def test_bars_by_condition_put_anomalies_last(random_table: MakeTable) -> None:
    figure = plots.score_bars(random_table(300))
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels[0] == "plain (200)"
    assert {label.split(" (")[0] for label in labels[1:]} == {"炎の音", "机を叩く音", "misfire"}
    words(figure)


def test_many_groups_are_drawn_as_others(make_table: MakeTable) -> None:
    rows: list[Row] = [("anomaly", float(i), {"condition": f"noise {i}"}) for i in range(60)]
    assert "37 others (37)" in words(plots.score_bars(make_table(rows)))


def test_histogram_counts_every_clip(random_table: MakeTable) -> None:
    table = random_table(200)
    wild = ScoreTable(table.clips, np.exp(4 * table.scores), None, 20.0)
    likelihood = ScoreTable(table.clips, np.sinh(5 * table.scores), None, 20.0)
    for drawn, scale in ((table, "linear"), (wild, "log"), (likelihood, "symlog")):
        figure = plots.score_histogram(drawn)
        axes = figure.axes[0]
        assert axes.get_xscale() == scale
        filled = [
            float(np.sum([b.get_height() for b in c])) for c in axes.containers if len(list(c)) > 1
        ]
        assert filled == pytest.approx([1.0, 1.0])
        assert "normal: 133 clips" in words(figure)


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([1, 2, 3], "linear"),
        ([0, 0, 0], "linear"),
        ([1e-3, 1e-3, 1], "log"),
        ([-5, -4, 1e5], "symlog"),
    ],
)
def test_scale_follows_the_scores(scores: list[float], scale: str) -> None:
    assert score_scale(scores)["value"] == scale


@pytest.mark.parametrize("scores", [[3.0, 3.0, 3.0], [0.0, 0.0, 0.0], [-1e9, 1.0, 1e9]])
def test_odd_scores_are_drawn(make_table: MakeTable, scores: list[float]) -> None:
    labels = ("normal", "anomaly", "unknown")
    rows: list[Row] = [(label, score, {}) for label, score in zip(labels, scores, strict=True)]
    table = make_table(rows, 3.0)
    figures = (plots.score_bars(table), plots.score_histogram(table), plots.confusion_matrix(table))
    assert "not labelled: 1 clips" in words(figures[1])
    for figure in (figures[0], figures[2]):
        words(figure)


def test_confusion_matrix_shows_counts_and_shares(make_table: MakeTable) -> None:
    rows: list[Row] = [("normal", s, {}) for s in (0.1, 0.2, 0.3, 0.9)]
    rows += [("anomaly", 0.95, {})]
    text = words(plots.confusion_matrix(make_table(rows)))
    assert "false alarms, 25.0%" in text
    assert "found, 100.0%" in text


def test_false_alarms_by_group(random_table: MakeTable) -> None:
    table = random_table(300)
    text = words(plots.false_alarm_by_condition(table, "pitch", promised_rate=0.05))
    assert "promised: 5.00%" in text
    assert f"{int(table.is_anomaly[table.normal].sum())} of 200" in text
    assert "95 % interval over recordings" in text
    with pytest.raises(DataError, match="need normal clips"):
        plots.false_alarm_by_condition(table.select(table.anomalous))


def test_the_false_alarm_interval_drawn_is_that_of_the_metric(random_table: MakeTable) -> None:
    table = random_table(300)
    [axes] = plots.false_alarm_by_condition(table).axes
    [lines] = axes.collections
    assert isinstance(lines, LineCollection)
    (low, _), (high, _) = lines.get_segments()[0]
    found = metrics(table)
    shown = found["false_alarm_rate_low"], found["false_alarm_rate_high"]
    assert (low, high) == pytest.approx(shown)


def test_validation_scores_show_the_promise() -> None:
    scores = np.random.default_rng(0).normal(size=99)
    text = words(plots.validation_scores(scores, fit_threshold(ThresholdConfig(), scores)))
    assert "promised: at most 5.00% false alarms" in text
    assert "4 above" in text
    mean_std = fit_threshold(ThresholdConfig(method="mean_std"), scores)
    assert "no false-alarm rate promised" in words(plots.validation_scores(scores, mean_std))


def test_loss_curve_marks_the_best_epoch() -> None:
    history = [
        {"epoch": e, "train_loss": 1 / e, "valid_loss": abs(e - 4) + 1.0} for e in range(1, 9)
    ]
    assert "Best validation loss: 1 at epoch 4" in words(plots.loss_curve(history))
    alone = [{"epoch": 1, "train_loss": 0.5}]
    assert "Best training loss: 0.5 at epoch 1" in words(plots.loss_curve(alone))


@pytest.mark.parametrize("error", [np.zeros((64, 100)), np.random.default_rng(0).random((64, 100))])
def test_explanation_has_hertz_and_seconds(error: np.ndarray) -> None:
    sound = np.random.default_rng(1).normal(-40, 10, (64, 100))
    figure = plots.explanation(
        sound,
        error,
        Axes(np.linspace(0, 8000, 64), "Hz", 512 / 16000, "Level (dB)"),
        Scale.of([sound], [error]),
    )
    text = words(figure)
    for part in ("Time (s)", "Frequency (Hz)", "4000"):
        assert part in text
    upper = figure.axes[0]
    assert upper.get_xlim() == pytest.approx((0, 3.2))
    row = dict(
        zip([t.get_text() for t in upper.get_yticklabels()], upper.get_yticks(), strict=True)
    )
    assert row["4000"] == pytest.approx(31.5)


def test_drawing_leaves_the_settings_and_pyplot_alone(random_table: MakeTable) -> None:
    before = dict(mpl.rcParams)
    plots.score_bars(random_table(20))
    assert dict(mpl.rcParams) == before
    code = "import sys, asd.evaluation.plots as p; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sounds_that_share_a_backdrop_look_as_on_their_own() -> None:
    rng = np.random.default_rng(0)
    shapes = [(32, 40), (32, 40), (32, 60), (32, 40)]
    sounds = [rng.normal(size=shape) for shape in shapes]
    maps = [
        np.abs(rng.normal(size=shape)) * size
        for shape, size in zip(shapes, (1, 9, 1, 1), strict=True)
    ]
    axes = LogMel(LogMelConfig(n_mels=32)).axes()
    scale = plots.Scale(min(map(np.min, sounds)), max(map(np.max, sounds)), 5.0)
    draw = plots.Explanations(axes, scale, INCHES)
    drawn = [draw(*pair) for pair in zip(sounds, maps, strict=True)]
    # Another length, or a bar with an arrow, needs another backdrop.
    assert len(draw._known) == 3
    for sound, unusual, pixels in zip(sounds, maps, drawn, strict=True):
        assert image(pixels) == picture(plots.explanation(sound, unusual, axes, scale))
