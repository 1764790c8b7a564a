"""The report of an evaluation."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from asd.evaluation import plots
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metrics import PROMISED, alarm_interval
from asd.evaluation.page.cases import cases, totals
from asd.evaluation.page.media import MOST_SOUND_S, Room, picture
from asd.evaluation.page.render import DOMAIN, render
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.recordings import PREFIX
from asd.evaluation.report import subject
from asd.evaluation.style import named
from asd.evaluation.table import GroupBy
from asd.features.store import FeatureStore
from asd.language import Language, Say, speaking, translations

_GROUPS: dict[GroupBy, str] = {
    "condition": "By condition",
    "machine": "By machine",
    "pitch": "By pitch",
}
_ABSENT = "–"

Row = tuple[str, ...]


def evaluation_page(
    evaluation: Evaluation,
    drawn: Mapping[str, Figure],
    store: FeatureStore,
    language: Language,
    lineage: Mapping[str, str],
    changes: Sequence[RobustnessRow] = (),
) -> str:
    """The report of an evaluation: one HTML page that needs no other file.

    Parameters
    ----------
    evaluation : Evaluation
        What is told.
    drawn : mapping of str to Figure
        What `asd.evaluation.report.figures` has drawn of it; their size is changed.
    store : FeatureStore
        Gives the features.
    language : {'en', 'ja'}
        Language of the page.
    lineage : mapping of str to str
        Which run, model and code it is of, by name.
    changes : sequence of RobustnessRow
        How the model did on changed clips, where that was measured.
    """
    say = translations(language, DOMAIN).gettext
    room, pipeline = Room(), evaluation.pipeline
    with speaking(language):
        pictures = _pictures(evaluation, drawn, say)
    shown = {name: room.take(picture(figure)) for name, figure in pictures.items()}
    return render(
        "evaluation.html",
        language,
        model=pipeline.recipe.label,
        data=evaluation.dataset.name,
        figures=evaluation.metrics,
        promised=pipeline.threshold.promised_rate,
        headline=_headline(evaluation, say),
        rates=_rates(evaluation.metrics),
        drawn=shown,
        groups={say(title): _group(evaluation, by) for by, title in _GROUPS.items()},
        changes=[_change(row) for row in changes],
        promise=pipeline.promise(),
        note=pipeline.decision.note,
        totals=totals(evaluation.table),
        cases=cases(evaluation, store, language, room),
        lineage=_lineage(evaluation, lineage, say),
        most_s=MOST_SOUND_S,
    )


def _pictures(evaluation: Evaluation, drawn: Mapping[str, Figure], say: Say) -> dict[str, Figure]:
    shown = {say("Scores and threshold"): drawn["score_histogram"]}
    if "roc_curve" in drawn:
        shown[say("ROC")] = drawn["roc_curve"]
        of = subject(evaluation.pipeline.recipe.label, evaluation.dataset.name)
        shown[say("Precision and recall")] = named(plots.precision_recall(evaluation.table), of)
    return shown


def _headline(evaluation: Evaluation, say: Say) -> list[Row]:
    """Name, value and 95 % interval of the figures that matter."""
    figures, table = evaluation.metrics, evaluation.table
    rows: list[Row] = []
    if "auc" in figures:
        most = {"most": 100 * evaluation.max_fpr}
        interval = _between(figures["auc_low"], figures["auc_high"], ".3f")
        rows += [
            ("AUC", _text(figures, "auc", ".3f"), interval),
            (say("pAUC (up to %(most)g%% false alarms)") % most, _text(figures, "pauc", ".3f"), ""),
            (say("Average precision"), _text(figures, "average_precision", ".3f"), ""),
        ]
    for name, key, members in (
        (say("Anomalous clips found"), "recall", table.anomalous),
        (say("False alarms among normal clips"), "false_alarm_rate", table.normal),
    ):
        if key in figures:
            interval = _between(*alarm_interval(table.select(members)), ".1%")
            rows.append((name, _text(figures, key, ".1%"), interval))
    for name, key in (
        (say("Anomalous recordings found"), f"{PREFIX}recall"),
        (say("False alarms among normal recordings"), f"{PREFIX}false_alarm_rate"),
    ):
        if key in figures:
            rows.append((name, _text(figures, key, ".1%"), ""))
    if "alarms_per_day" in figures:
        name = say("False alarms a day, listening without pause")
        rows.append((name, _text(figures, "alarms_per_day", ",.0f"), ""))
    return rows


def _rates(figures: Mapping[str, float]) -> list[Row]:
    """What would be found if other false-alarm rates were promised."""
    rows = []
    for rate in PROMISED:
        keys = (f"recall_at_{rate * 100:g}pct", f"false_alarm_rate_at_{rate * 100:g}pct")
        if any(key in figures for key in keys):
            rows.append((f"{rate:.0%}", *(_text(figures, key, ".1%") for key in keys)))
    return rows


def _group(evaluation: Evaluation, by: GroupBy) -> list[Row]:
    """Group, clips of either class, AUC, found, false alarms; none where there is one group."""
    groups = evaluation.groups[by]
    if len(groups) < 2:
        return []
    table = evaluation.table
    columns = (("auc", ".3f"), ("recall", ".1%"), ("false_alarm_rate", ".1%"))
    return [
        (
            name,
            str(int((members & table.normal).sum())),
            str(int((members & table.anomalous).sum())),
            *(_text(groups[name], key, form) for key, form in columns),
        )
        for name, members in table.groups(by).items()
    ]


def _change(row: RobustnessRow) -> Row:
    own = {key: value for key, value in vars(row).items() if isinstance(value, float)}
    columns = (("auc", ".3f"), ("pauc", ".3f"), ("false_alarm_rate", ".1%"), ("recall", ".1%"))
    return (row.name, *(_text(own, key, form) for key, form in columns))


def _lineage(evaluation: Evaluation, lineage: Mapping[str, str], say: Say) -> list[Row]:
    pipeline, dataset = evaluation.pipeline, evaluation.dataset
    trained, threshold, sound = pipeline.trained_on, pipeline.threshold, pipeline.sound
    return [
        (say("Test data"), f"{dataset.name} ({dataset.digest})"),
        (say("Trained on"), f"{trained.name} ({trained.digest})"),
        (say("Detector"), pipeline.recipe.label),
        (say("Threshold"), f"{threshold.value:.6g} ({threshold.method})"),
        (say("Sound"), f"{sound.sample_rate} Hz, {sound.clip_seconds:g} s"),
        *((say(name), value) for name, value in lineage.items()),
    ]


def _text(figures: Mapping[str, float], key: str, form: str) -> str:
    return format(figures[key], form) if key in figures else _ABSENT


def _between(low: float, high: float, form: str) -> str:
    return f"{low:{form}} {_ABSENT} {high:{form}}"
