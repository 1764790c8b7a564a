"""One rule: an anomaly is what has a p-value of at most the rate."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from asd.config import ThresholdConfig
from asd.decision.calibration import Calibration
from asd.decision.decision import Decision
from asd.decision.thresholds import fit_threshold
from asd.errors import DetectorError
from asd.language import speaking

Values = NDArray[np.float64]

METHODS: list[dict[str, Any]] = [
    {"method": "conformal", "false_alarm_rate": 0.01},
    {"method": "conformal", "false_alarm_rate": 0.2},
    {"method": "mean_std", "k": 0.0},
    {"method": "mean_std", "k": 2.0},
    {"method": "quantile", "quantile": 0.9},
    {"method": "best_f1"},
    {"method": "fixed", "value": -3.0},
    {"method": "fixed", "value": 0.5},
    {"method": "fixed", "value": 9.0},
]

# Few values, so that scores, calibration and threshold often tie.
score = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 1.0, 1.0 / 3, 2.0, 9.0]) | st.floats(-1e3, 1e3)
scores_of = st.lists(score, min_size=1, max_size=25)


def seconds(n: int) -> tuple[Values, Values]:
    return np.arange(0.0, 10.0 * n, 10.0), np.full(n, 10.0)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    scores = draw(scores_of)
    recording = st.integers(0, draw(st.integers(0, 8)))
    recordings = draw(st.lists(recording, min_size=len(scores), max_size=len(scores)))
    sessions = np.asarray(recordings) // draw(st.integers(1, 3))
    return Calibration.of(scores, recordings, sessions)


@given(calibrations(), scores_of, st.sampled_from(METHODS))
def test_verdict_and_p_value_never_disagree(
    calibration: Calibration, new: list[float], method: dict[str, Any]
) -> None:
    decision = Decision.fit(ThresholdConfig(**method), calibration, [2.0, 1.0])
    rate, value = decision.rate, decision.threshold.value
    assert rate is not None
    assert 0 < rate < 1
    # All scores of interest: those of the recording, and the threshold with both its neighbours.
    scores = np.array([*new, value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)])
    p = decision.windows(scores)
    assert ((p > 0) & (p <= 1)).all()
    np.testing.assert_array_equal(p <= rate, scores > value)
    np.testing.assert_array_equal(decision.alarms(scores), scores > value)
    order = np.argsort(scores)
    assert (np.diff(p[order]) <= 0).all()
    verdict = decision.recording(np.asarray(new))
    assert verdict.p_value is not None
    assert verdict.is_anomaly == (verdict.p_value <= rate)
    for event in decision.events(new, *seconds(len(new))):
        assert event.p_value is not None
        assert event.p_value <= rate
        assert event.peak_score > value


@given(calibrations(), score, st.sampled_from(METHODS))
def test_a_recording_of_one_window_is_judged_as_the_window(
    calibration: Calibration, new: float, method: dict[str, Any]
) -> None:
    decision = Decision.fit(ThresholdConfig(**method), calibration, [2.0])
    p = float(decision.windows([new])[0])
    verdict = decision.recording([new])
    events = decision.events([new], [0.0], [10.0])
    assert verdict.p_value == p
    assert verdict.statistic == new
    assert [event.p_value for event in events] == ([p] if verdict.is_anomaly else [])


@given(calibrations(), scores_of)
def test_methods_without_a_promise_never_claim_less_than_the_conformal_p_value(
    calibration: Calibration, new: list[float]
) -> None:
    honest = Decision.fit(ThresholdConfig(), calibration).windows(new)
    fixed = Decision.fit(ThresholdConfig(method="fixed", value=0.2), calibration).windows(new)
    assert (fixed >= np.minimum(honest, 1 - 1e-12)).all()


def test_recordings_by_hand() -> None:
    # Nineteen recordings of four windows; the highest of four windows of each is its number.
    blocks = np.arange(1, 20)[:, None] - np.array([0.0, 0.5, 0.25, 0.75])
    calibration = Calibration.of(blocks.ravel(), np.repeat(np.arange(19), 4))
    decision = Decision.fit(ThresholdConfig(false_alarm_rate=0.1), calibration)
    verdict = decision.recording([0.0, 18.5, 0.0, 0.0])
    assert verdict.statistic == 18.5
    # One recording of nineteen has a window that high: (1 + 1) / (19 + 1).
    assert verdict.p_value == 0.1
    assert verdict.is_anomaly
    assert not decision.recording([17.5, 0.0, 0.0, 18.0]).is_anomaly
    assert verdict.note == ""
    assert "19 of 19 recordings of the calibration have no recording as long" in (
        decision.recording(np.zeros(5)).note
    )


def test_events_have_start_end_and_peak_and_small_gaps_are_bridged() -> None:
    rng = np.random.default_rng(0)
    calibration = Calibration.of(rng.normal(size=40 * 30), np.repeat(np.arange(40), 30))
    decision = Decision.fit(ThresholdConfig(), calibration)
    scores = np.zeros(30)
    scores[[4, 5, 7]] = 6.0, 8.0, 7.0
    scores[20] = 9.0
    scores[12] = 2.2  # above the threshold of a window, usual among thirty
    first, second = decision.events(scores, *seconds(30))
    assert (first.start_s, first.end_s, first.peak_s, first.peak_score) == (40, 80, 50, 8.0)
    assert (second.start_s, second.end_s, second.peak_s) == (200, 210, 200)
    assert first.p_value == pytest.approx(1 / 41)
    assert first.expected_by_chance == pytest.approx(-np.log(40 / 41))
    assert decision.alarms(scores)[12]


def test_sessions_count_in_place_of_recordings() -> None:
    # Four sessions of ten one-window recordings promise what four recordings do.
    scores = np.arange(40.0)
    decision = Decision.fit(
        ThresholdConfig(false_alarm_rate=0.05),
        Calibration.of(scores, np.arange(40), np.arange(40) // 10),
    )
    assert decision.rate == 0.2
    assert "4 sessions of the calibration cannot promise" in decision.note
    assert decision.windows([34.5])[0] == pytest.approx((1 + 0.5) / 5)


def test_what_is_kept_is_read_in_the_language_of_who_reads_it() -> None:
    calibration = Calibration.of(np.arange(3.0), machines=["a", "a", "b"])
    saved = json.loads(json.dumps(Decision.fit(ThresholdConfig(), calibration).to_dict()))
    again = Decision.from_dict(saved, calibration)
    assert "3 clips of the calibration cannot promise" in again.note
    assert "too little for a threshold of their own" in again.note
    with speaking("ja"):
        assert "較正に使ったクリップ 3 件では" in again.note
        assert "too little" not in again.note


def test_a_decision_of_an_earlier_release_keeps_its_words() -> None:
    calibration = Calibration.of(np.arange(3.0))
    saved = Decision.fit(ThresholdConfig(), calibration).to_dict()
    del saved["remarks"]
    with speaking("ja"):
        again = Decision.from_dict(saved, calibration)
        assert again.note == saved["note"]
    assert saved["note"].startswith("3 clips of the calibration cannot promise")
    with pytest.raises(ValueError, match="a remark is text"):
        Decision.from_dict(saved | {"remarks": [{"en": ["no", "text"]}]}, calibration)


def test_each_machine_gets_its_threshold_where_recordings_suffice() -> None:
    rng = np.random.default_rng(1)
    quiet, loud, rare = rng.normal(0, 1, 40), rng.normal(10, 1, 40), rng.normal(5, 1, 3)
    machines = ["quiet"] * 40 + ["loud"] * 40 + ["rare"] * 3
    calibration = Calibration.of(np.concatenate([quiet, loud, rare]), machines=machines)
    decision = Decision.fit(ThresholdConfig(), calibration)
    assert sorted(decision.machines) == ["loud", "quiet"]
    assert decision.alarms([6.0], "quiet")[0]
    assert not decision.alarms([6.0], "loud")[0]
    assert decision.rule("rare") is decision.pooled
    assert "rare (3)" in decision.note
    assert decision.warning("rare") == decision.warning(None) == ""
    assert "machine other is not among those" in decision.warning("other")
    again = Decision.from_dict(json.loads(json.dumps(decision.to_dict())), calibration)
    assert again.machines["loud"].threshold == decision.machines["loud"].threshold
    assert (again.rate, again.note, again.known) == (decision.rate, decision.note, decision.known)


def test_fixed_without_calibration_has_no_p_value() -> None:
    decision = Decision.fit(ThresholdConfig(method="fixed", value=1.0), Calibration.of([]))
    assert decision.rate is None
    assert np.isnan(decision.windows([0.0, 2.0])).all()
    assert decision.alarms([1.0, 2.0]).tolist() == [False, True]
    verdict = decision.recording([0.0, 2.0])
    assert (verdict.is_anomaly, verdict.p_value) == (True, None)
    (event,) = decision.events([0.0, 2.0], *seconds(2))
    assert (event.start_s, event.p_value, event.expected_by_chance) == (10, None, None)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_saved_before_keeps_its_threshold(method: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    scores, recordings = rng.normal(size=90), np.repeat(np.arange(30), 3)
    saved = fit_threshold(ThresholdConfig(**method), scores, [3.0], recordings)
    decision = Decision.from_legacy(saved.to_dict(), scores, recordings)
    assert decision.threshold == saved
    if saved.promised_rate is not None:
        assert decision.rate == saved.promised_rate
    new = rng.normal(size=200)
    np.testing.assert_array_equal(decision.alarms(new), new > saved.value)
    fresh = Decision.fit(ThresholdConfig(**method), decision.calibration, [3.0])
    assert fresh.threshold.value == saved.value


def test_calibration_is_saved_without_pickle(tmp_path: Path) -> None:
    calibration = Calibration.of([1, 2, 3], ["b", "b", "a"], None, ["pump", "pump", "ポンプ"])
    np.savez(tmp_path / "calibration.npz", allow_pickle=False, **calibration.to_arrays())
    with np.load(tmp_path / "calibration.npz", allow_pickle=False) as arrays:
        again = Calibration.from_arrays(arrays)
    for name, values in calibration.to_arrays().items():
        np.testing.assert_array_equal(getattr(again, name), values)
    old = Calibration.from_arrays({"scores": np.ones(2), "recordings": np.array([4, 4])})
    assert (old.n_units, old.machine_names) == (1, ("",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": [1.0, np.nan]}, "NaN or infinite"),
        ({"scores": [1.0, 2.0], "recordings": [1]}, "1 recordings for 2 scores"),
        ({"scores": [1, 2], "recordings": [1, 1], "sessions": [1, 2]}, "in several sessions"),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DetectorError, match=message):
        Calibration.of(**fields)


def test_infinite_scores_are_refused() -> None:
    decision = Decision.fit(ThresholdConfig(), Calibration.of(np.arange(30.0)))
    with pytest.raises(DetectorError, match="NaN or infinite"):
        decision.windows([1.0, np.inf])
