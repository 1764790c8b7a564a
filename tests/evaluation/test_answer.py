"""The written answer: which is best, whether that is real, what it misses, what to do next."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from asd.data.manifest import Dataset
from asd.evaluation import plots
from asd.evaluation.answer import advice, answer_of, breaks_its_promise, details, lead, ranked
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metrics import metrics
from asd.evaluation.page.cases import chosen_rows, totals
from asd.evaluation.table import ScoreTable

MakeTable = Callable[..., ScoreTable]


def evaluated(table: ScoreTable, promised: float | None = 0.05) -> Evaluation:
    pipeline = SimpleNamespace(
        recipe=SimpleNamespace(label="knn"), threshold=SimpleNamespace(promised_rate=promised)
    )
    figures = metrics(table) | {"score_seconds": 1.5}
    if "auc" in figures:
        figures |= {"auc_low": 0.0, "auc_high": 1.0}
    dataset = Dataset(Path("data/motor"), table.clips)
    return Evaluation("knn on motor", cast(Any, pipeline), dataset, table, figures, {}, 0.1, 0)


@pytest.fixture
def table(make_table: MakeTable) -> ScoreTable:
    """Twenty normal clips, one of them an alarm, and two faults, one of them hard to hear."""
    rng = np.random.default_rng(0)
    normal: list[tuple[str, float, dict[str, str]]] = [
        ("normal", float(score), {}) for score in rng.uniform(0, 0.4, 19)
    ]
    strong = [("anomaly", 0.9, {"condition": "crack_strong"})] * 6
    mild = [("anomaly", score, {"condition": "crack_mild"}) for score in (0.45, 0.48, 0.7)]
    return make_table([*normal, ("normal", 0.6, {}), *strong, *mild])


def test_a_clear_lead_is_more_than_luck_and_a_small_one_is_not(table: ScoreTable) -> None:
    rng = np.random.default_rng(1)
    worse = replace(table, scores=rng.uniform(size=len(table)))
    alike = replace(table, scores=table.scores + rng.normal(0, 0.01, len(table)))
    clear = lead({"a": table, "b": worse}, ["a", "b"], "auc", 0, 0.1)
    close = lead({"a": table, "b": alike}, ["a", "b"], "auc", 0, 0.1)
    assert clear is not None
    assert close is not None
    assert clear.real
    assert "ahead of b by +0." in str(clear)
    assert "AUC: that is more than luck (95 % interval" in str(clear)
    assert not close.real
    assert "may be luck" in str(close)
    assert lead({"a": table}, ["a"], "auc", 0, 0.1) is None
    told = "\n".join(answer_of(evaluated(table), clear, "challenger"))
    assert "Next: It was not promoted, the gates say why" in told
    first, second, *_ = answer_of(evaluated(table), clear)
    assert first == f"**a is best on motor.** {clear}", "what a list of runs shows of a note"
    assert second.startswith("**knn on motor** finds 7 of 9")


def test_the_best_comes_first_whichever_way_the_metric_points() -> None:
    figures = {"a": {"auc": 0.8, "false_alarm_rate": 0.1}, "b": {"auc": 0.9}, "c": {}}
    assert ranked(figures, "auc") == ["b", "a", "c"]
    assert ranked(figures, "false_alarm_rate")[0] == "a"


def test_it_says_what_is_found_missed_and_promised(table: ScoreTable) -> None:
    text = "\n".join(answer_of(evaluated(table)))
    assert "**knn on motor** finds 7 of 9 anomalous clips (78%)" in text
    assert "1 false alarm in 20 normal clips (5.0%)" in text
    assert "misses: crack_mild 2 of 3" in text
    assert "crack_strong" not in text
    assert "at most 5.0% false alarms" in text
    assert "takes 1.5 s" in text


def test_nobody_is_told_to_promote_what_always_alarms(table: ScoreTable) -> None:
    always = evaluated(replace(table, threshold=-1.0))
    assert breaks_its_promise(always)
    assert advice(always)[0] == "recalibrate"
    assert "broken" in "\n".join(details(always))
    unpromised = evaluated(replace(table, threshold=-1.0), promised=None)
    assert advice(unpromised)[0] == "recalibrate"
    assert advice(evaluated(table))[0] == "promote"
    late = evaluated(replace(table, threshold=0.95))
    assert advice(late)[0] == "threshold"
    unlabelled = table.select(table.normal)
    assert advice(evaluated(unlabelled))[0] == "augment"


def test_the_worst_are_shown_first_and_at_most_so_many(table: ScoreTable) -> None:
    worst = chosen_rows(table)
    assert [table.scores[i] for i in worst["misses"]] == [0.45, 0.48]
    assert [table.scores[i] for i in worst["false_alarms"]] == [0.6]
    assert len(worst["alarms"]) == 7
    always = replace(table, threshold=-1.0)
    assert len(chosen_rows(always)["false_alarms"]) == 10
    assert totals(always) == {"misses": 0, "false_alarms": 20, "alarms": totals(always)["alarms"]}


def test_each_clip_has_an_outcome(table: ScoreTable, tmp_path: Path) -> None:
    assert sorted(set(table.outcomes())) == ["false alarm", "found", "missed", "quiet"]
    table.write_csv(tmp_path / "scores.csv")
    head, first, *_ = (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert head.endswith(",p_value,outcome")
    assert first.endswith(",quiet")


def test_the_leaderboard_draws_a_row_a_detector(table: ScoreTable) -> None:
    good = evaluated(table).metrics
    figure = plots.leaderboard({"knn": good, "gmm": {"auc": 0.7}, "lost": {}}, "motor")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["knn", "gmm", "lost"]
    assert "motor" in left.get_title(loc="left")
    assert right.get_xlabel().startswith("Share of clips")
