"""Metrics against scikit-learn and by hand."""

import logging
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name
from sklearn import metrics as golden

from asd.decision.thresholds import binomial_interval
from asd.errors import ConfigError, DataError
from asd.evaluation.bootstrap import auc_interval, paired_bootstrap
from asd.evaluation.metric_table import weighted_auc
from asd.evaluation.metrics import (
    alarm_interval,
    flat_groups,
    grouped,
    metric_key,
    metrics,
    warn_of_absent,
)
from asd.evaluation.table import ScoreTable

MakeTable = Callable[..., ScoreTable]
Row = tuple[str, float, dict[str, Any]]


def test_metrics_equal_scikit_learn(random_table: MakeTable) -> None:
    table = random_table(150)
    found = metrics(table)
    truth, judged = table.anomalous, table.is_anomaly
    tn, fp, fn, tp = golden.confusion_matrix(truth, judged).ravel()
    expected = {
        "auc": golden.roc_auc_score(truth, table.scores),
        "pauc": golden.roc_auc_score(truth, table.scores, max_fpr=0.1),
        "average_precision": golden.average_precision_score(truth, table.scores),
        "precision": golden.precision_score(truth, judged),
        "recall": golden.recall_score(truth, judged),
        "f1": golden.f1_score(truth, judged),
        "false_alarm_rate": fp / (fp + tn),
        **{"tp": tp, "fp": fp, "tn": tn, "fn": fn},
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["false_alarm_rate_low"] < fp / (fp + tn) < found["false_alarm_rate_high"]


def test_metrics_by_hand(make_table: MakeTable) -> None:
    rows: list[Row] = [("normal", s, {}) for s in (0.1, 0.2, 0.3, 0.9)]
    rows += [("anomaly", s, {}) for s in (0.25, 0.95)] + [("unknown", 5.0, {})]
    found = metrics(make_table(rows, 0.5))
    # Of the 8 pairs, 0.25 wins against 2 and 0.95 against 4.
    assert found["auc"] == pytest.approx(6 / 8)
    assert [found[key] for key in ("tp", "fp", "tn", "fn")] == [1, 1, 3, 1]
    assert (found["n_normal"], found["n_anomaly"], found["threshold"]) == (4, 2, 0.5)
    assert found["alarms_per_day"] == pytest.approx(0.25 * 8640)


def test_a_score_equal_to_the_threshold_raises_no_alarm(make_table: MakeTable) -> None:
    assert metrics(make_table([("normal", 0.5, {}), ("anomaly", 0.6, {})]))["fp"] == 0


@pytest.mark.parametrize(
    ("rows", "absent", "words"),
    [
        ([("normal", 0.1, {})], {"auc", "pauc", "precision", "recall", "f1"}, "no labelled"),
        ([("anomaly", 0.9, {})], {"auc", "pauc", "false_alarm_rate"}, "no normal clips"),
        ([("anomaly", 0.1, {}), ("normal", 0.2, {})], {"precision"}, "precision is not defined"),
    ],
)
def test_undefined_metrics_are_absent_with_a_warning(
    make_table: MakeTable,
    caplog: pytest.LogCaptureFixture,
    rows: list[tuple[str, float, dict[str, str]]],
    absent: set[str],
    words: str,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not absent & metrics(make_table(rows)).keys()
        assert not caplog.records
        warn_of_absent(make_table(rows))
    assert words in caplog.text


def test_conditions_by_hand(make_table: MakeTable) -> None:
    rows: list[Row] = [
        ("normal", 0.0, {}),
        ("normal", 0.6, {}),
        ("normal", 0.4, {"condition": "idle"}),
    ]
    rows += [("anomaly", 0.5, {"condition": "hiss"}), ("anomaly", 0.7, {"condition": "hiss"})]
    found = grouped(make_table(rows))
    assert found["hiss"] == pytest.approx({"auc": 5 / 6, "recall": 0.5})
    assert found["plain"]["false_alarm_rate"] == 0.5
    assert found["idle"]["false_alarm_rate"] == 0.0
    assert "auc" not in found["idle"]


def test_domain_auc_sets_its_normals_against_all_anomalies(make_table: MakeTable) -> None:
    source, target = {"domain": "source"}, {"domain": "target"}
    rows: list[Row] = [("normal", 0.1, source), ("normal", 0.6, target)]
    rows += [("anomaly", 0.5, source), ("anomaly", 0.7, target)]
    found = grouped(make_table(rows), "domain")
    assert (found["source"]["auc"], found["target"]["auc"]) == (1.0, 0.5)


def test_machine_and_pitch_auc_stay_within_the_group(make_table: MakeTable) -> None:
    for by, low, high in (
        ("machine", {"machine": "fan"}, {"machine": "pump"}),
        ("pitch", {"pitch_semitones": -3}, {"pitch_semitones": 3}),
    ):
        rows = [("normal", 0.1, low), ("anomaly", 0.2, low)]
        rows += [("normal", 0.8, high), ("anomaly", 0.9, high)]
        found = grouped(make_table(rows), by)  # type: ignore[arg-type]
        assert [group["auc"] for group in found.values()] == [1.0, 1.0]
        assert list(found) == (["fan", "pump"] if by == "machine" else ["pitch_-3", "pitch_3"])


def test_the_false_alarm_interval_counts_recordings(make_table: MakeTable) -> None:
    """Ten copies of a clip in one recording carry no more information than one."""
    alarms = [True, False, False, False, True, False]
    for copies in 1, 10:
        rows = [
            ("normal", float(alarm), {"recording": f"r{i}", "condition": "hot" if i < 2 else ""})
            for i, alarm in enumerate(alarms)
            for _ in range(copies)
        ]
        table = make_table(rows)
        for found, expected in (
            (metrics(table), binomial_interval(2, 6)),
            (grouped(table)["hot"], binomial_interval(1, 2)),
        ):
            shown = found["false_alarm_rate_low"], found["false_alarm_rate_high"]
            assert shown == pytest.approx(expected)


def test_recordings_weigh_alike_in_the_interval_and_one_alone_counts_its_clips(
    make_table: MakeTable,
) -> None:
    rows = [("normal", 1.0, {"recording": "a"})]
    rows += [("normal", 0.0, {"recording": "a"}), ("normal", 0.0, {"recording": "b"})]
    table = make_table(rows)
    assert alarm_interval(table) == pytest.approx(binomial_interval(0.5, 2))
    of_one = table.select(np.array([True, True, False]))
    assert alarm_interval(of_one) == pytest.approx(binomial_interval(1, 2))


def test_a_pitch_without_normals_is_set_against_all_of_them(make_table: MakeTable) -> None:
    low, high = {"pitch_semitones": -3}, {"pitch_semitones": 3}
    rows: list[Row] = [("normal", 0.1, {}), ("normal", 0.6, low), ("anomaly", 0.4, high)]
    assert grouped(make_table(rows), "pitch")["pitch_3"] == {"auc": 0.5, "recall": 0.0}
    with_own = make_table([*rows, ("normal", 0.9, high)])
    assert grouped(with_own, "pitch")["pitch_3"]["auc"] == 0.0, "its own are the fairer contrast"


def test_a_machine_without_normals_has_no_auc(make_table: MakeTable) -> None:
    rows = [("normal", 0.1, {"machine": "fan"}), ("anomaly", 0.4, {"machine": "pump"})]
    assert grouped(make_table(rows), "machine")["pump"] == {"recall": 0.0}


def test_one_group_is_no_grouping(make_table: MakeTable) -> None:
    assert grouped(make_table([("normal", 0.1, {}), ("anomaly", 0.9, {})])) == {}


def test_names_of_groups_are_valid_in_mlflow_and_stay_apart() -> None:
    found = flat_groups({"炎の音": {"auc": 0.7}, "a:b": {"auc": 0.8}, "a*b": {"auc": 0.9}})
    assert found == {"auc.炎の音": 0.7, "auc.a_b": 0.8, "auc.a_b_2": 0.9}
    for name in ("../x", "fan/section_00", "机を叩く音 +3.2dB", "x" * 999, "50 %", "a\\b\n"):
        key = f"false_alarm_rate.{metric_key(name)}"
        _validate_metric_name(key)  # type: ignore[no-untyped-call]
        assert not re.search(r"[:/\\]", key)
        assert len(key) <= 250


def test_auc_interval_holds_the_auc_and_repeats(random_table: MakeTable) -> None:
    table = random_table(120)
    low, high = auc_interval(table, seed=1, n=200)
    assert low < metrics(table)["auc"] < high
    assert auc_interval(table, seed=1, n=200) == (low, high)


def test_auc_interval_draws_recordings_not_clips(make_table: MakeTable) -> None:
    """Ten copies of a clip in one recording carry no more information than one."""
    rng = np.random.default_rng(0)
    single = [
        (label, float(rng.normal(shift)), {"recording": f"{label}{i}"})
        for label, shift in (("normal", 0.0), ("anomaly", 1.0))
        for i in range(12)
    ]
    copies = [row for row in single for _ in range(10)]
    widths = []
    for rows in (single, copies):
        unique = [(a, b, c | {"path": f"{i}.wav"}) for i, (a, b, c) in enumerate(rows)]
        low, high = auc_interval(make_table(unique), seed=0, n=300)
        widths.append(high - low)
    assert widths[0] == pytest.approx(widths[1])


def test_auc_interval_says_when_there_is_one_recording_only(
    make_table: MakeTable, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[Row] = [("normal", i / 10, {"recording": "one"}) for i in range(8)]
    rows += [("anomaly", 0.5, {}), ("anomaly", 0.9, {})]
    low, high = auc_interval(make_table(rows), seed=0, n=100)
    assert low < high
    assert "all normal clips are of one recording" in caplog.text


def test_paired_bootstrap_tells_a_better_detector(random_table: MakeTable) -> None:
    good = random_table(150)
    noise = 3 * np.random.default_rng(5).normal(size=150)
    bad = ScoreTable(good.clips, good.scores + noise, None, 1.0)
    difference, low, high = paired_bootstrap(good, bad, "auc", seed=2, n=200)
    assert difference == pytest.approx(metrics(good)["auc"] - metrics(bad)["auc"])
    assert 0 < low < difference < high
    assert paired_bootstrap(good, good, "pauc", n=20) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("max_fpr", [0.1, 0.5, 1.0])
def test_paired_bootstrap_compares_the_partial_auc_that_was_asked_for(
    random_table: MakeTable, max_fpr: float
) -> None:
    good = random_table(150)
    bad = ScoreTable(good.clips, good.scores[::-1], None, 1.0)
    difference, _, _ = paired_bootstrap(good, bad, "pauc", n=5, max_fpr=max_fpr)
    expected = metrics(good, max_fpr)["pauc"] - metrics(bad, max_fpr)["pauc"]
    assert difference == pytest.approx(expected)


def test_paired_bootstrap_refuses_other_clips_and_metrics(random_table: MakeTable) -> None:
    table = random_table(30)
    with pytest.raises(DataError, match="same clips"):
        paired_bootstrap(table, table.select(table.normal))
    with pytest.raises(ConfigError, match="known ones are auc, pauc, average_precision"):
        paired_bootstrap(table, table, "speed")
    with pytest.raises(DataError, match="no anomalous clips"):
        auc_interval(table.select(table.normal), seed=0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
@settings(deadline=None, max_examples=50)
def test_weighted_auc_is_that_of_scikit_learn(seed: int, clips: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.arange(clips) % 2 == 1
    scores = rng.integers(0, 6, clips).astype(float)
    weights = rng.integers(1, 4, clips).astype(float)
    expected = golden.roc_auc_score(truth, scores, sample_weight=weights)
    assert weighted_auc(truth, scores, weights) == pytest.approx(expected)
