"""The gates of a promotion: latency, loading anew, false alarms and gain."""

import itertools
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from asd.data import manifest
from asd.decision.thresholds import Threshold, binomial_interval
from asd.errors import TrackingError
from asd.evaluation import gates
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.gates import Probe
from asd.evaluation.metrics import MAX_FPR, metrics
from asd.evaluation.table import ScoreTable
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.tracking import fresh
from asd.tracking.fresh import environment_gate, fresh_scores
from asd.tracking.models import load
from tests.steps.promotion import DATA, Trained


def busy_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def test_a_busy_machine_does_not_change_the_decision(pipeline: Pipeline) -> None:
    dataset = manifest.load(Path(DATA))

    def decisions() -> list[bool]:
        measured = gates.probe(pipeline, dataset)
        return [gates.latency(measured, pipeline, limit).holds for limit in limits]

    limits = [None, 10 * gates.probe(pipeline, dataset).latency_ms, 1e-6]
    quiet = decisions()
    with busy_process() as one, busy_process() as other:
        try:
            busy = decisions()
        finally:
            one.kill()
            other.kill()
    assert busy == quiet == [True, True, False]


def test_time_spent_waiting_does_not_count_as_latency(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Pipeline.judge
    quick = gates.probe(pipeline, manifest.load(Path(DATA))).latency_ms
    wait_ms = 20 * quick

    def held_up(judged: Pipeline, source: Path | bytes) -> Verdict:
        time.sleep(wait_ms / 1000)
        return judge(judged, source)

    monkeypatch.setattr(Pipeline, "judge", held_up)
    waiting = gates.probe(pipeline, manifest.load(Path(DATA)))
    assert gates.latency(waiting, pipeline, wait_ms).holds


def test_the_quickest_of_several_passes_counts(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass may be slow because filter banks are loaded, or because memory is wanted elsewhere."""
    clock = itertools.accumulate(itertools.cycle([0.0, 9.0, 0.0, 0.002, 0.0, 5.0]))
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert gates.probe(pipeline, manifest.load(Path(DATA))).latency_ms == pytest.approx(2.0)


def test_by_default_a_clip_may_take_as_long_as_it_lasts(pipeline: Pipeline) -> None:
    assert gates.latency(Probe([], [], 1000.0), pipeline, None).holds
    assert not gates.latency(Probe([], [], 1001.0), pipeline, None).holds
    assert not gates.latency(Probe([], [], 1000.0), pipeline, 999.0).holds


def test_a_new_process_scores_alike(models: Trained) -> None:
    pipeline = load(models.good)
    probe = gates.probe(pipeline, manifest.load(Path(DATA)))
    assert len(probe.files) == gates.PROBED
    again = fresh_scores(models.good, probe.files)
    assert again == pytest.approx(probe.scores, abs=1e-6)
    assert gates.reload(probe, again).holds


def test_a_new_process_that_fails_is_one_line(
    models: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "fails.py"
    program.write_text("raise ValueError('no such model')", encoding="utf-8")
    monkeypatch.setattr(fresh, "_PROGRAM", program)
    with pytest.raises(TrackingError, match=r"in a new process \(ValueError: no such model\)$"):
        fresh_scores(models.good, [])


def test_an_example_is_answered_as_mlflow_asks_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the building of the environment, which takes minutes."""
    ask = mlflow.models.predict

    def here(uri: str, **words: Any) -> None:
        assert words.pop("env_manager") == "uv"
        ask(uri, env_manager="local", **words)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(mlflow.models, "predict", here)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/uv")
    assert not environment_gate(trained.good).refuses


def evaluation(
    models: Trained, pipeline: Pipeline, scores: list[float], promised: float | None
) -> Evaluation:
    """One whose clips, the last four anomalous, have the given scores, under the threshold 0."""
    dataset = manifest.load(Path(DATA))
    normal = dataset.split("test", "normal").clips[: len(scores) - 4]
    clips = (*normal, *dataset.split("test", "anomaly").clips[:4])
    table = ScoreTable(clips, np.array(scores), None, 0.0)
    threshold = Threshold(0.0, "conformal", promised, promised, 40)
    pooled = replace(pipeline.decision.pooled, threshold=threshold)
    judged = replace(pipeline, decision=replace(pipeline.decision, pooled=pooled))
    return Evaluation(models.good.name, judged, dataset, table, metrics(table), {}, MAX_FPR, seed=0)


@pytest.mark.parametrize(
    ("alarms", "promised", "champion_alarms", "holds", "refuses"),
    [
        (2, 0.05, 0, True, False),
        (4, 0.05, 0, True, False),  # all of them in one of five recordings
        (12, 0.05, None, False, False),  # nothing better is in service
        (12, 0.05, 0, False, True),
        (12, 0.05, 13, False, False),  # the champion breaks its promise too
        (12, None, 0, True, False),  # a threshold without a promise has none to break
    ],
)
def test_false_alarms_are_held_against_the_promise(
    models: Trained,
    pipeline: Pipeline,
    alarms: int,
    promised: float | None,
    champion_alarms: int | None,
    holds: bool,
    refuses: bool,
) -> None:
    def with_alarms(count: int) -> Evaluation:
        scores = [1.0] * count + [-1.0] * (20 - count) + [2.0] * 4
        return evaluation(models, pipeline, scores, promised)

    champion = None if champion_alarms is None else with_alarms(champion_alarms)
    gate = gates.false_alarms(with_alarms(alarms), champion)
    assert (gate.holds, gate.refuses) == (holds, refuses)


def test_the_gate_holds_the_interval_that_is_shown_against_the_promise(
    models: Trained, pipeline: Pipeline
) -> None:
    """Four alarms in one recording of five are one alarm, for the gate and for the metric."""
    found = evaluation(models, pipeline, [1.0] * 4 + [-1.0] * 16 + [2.0] * 4, 0.05)
    low = found.metrics["false_alarm_rate_low"]
    assert low == pytest.approx(binomial_interval(1, 5)[0])
    assert f"interval over recordings {low:.1%} to" in gates.false_alarms(found, None).numbers


@pytest.mark.parametrize(("min_gain", "holds"), [(0.0, True), (0.25, True), (0.26, False)])
def test_gain_needs_the_least_difference(
    trained: Trained, pipeline: Pipeline, min_gain: float, holds: bool
) -> None:
    best = evaluation(trained, pipeline, [-1.0] * 8 + [1.0] * 4, None)
    lesser = evaluation(trained, pipeline, [-1.0] * 8 + [1.0] * 3 + [-2.0], None)
    gate = gates.gain(best, lesser, "auc", min_gain)
    assert gate.figures["gain"] == pytest.approx(0.25)
    assert gate.holds is holds
    assert not gates.gain(best, best, "auc", 0.0).holds, "a tie is no gain"
    by_f1 = gates.gain(best, lesser, "f1", 0.0)
    assert by_f1.holds
    assert "gain_low" not in by_f1.figures
