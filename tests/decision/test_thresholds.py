"""What thresholds promise, they keep."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asd.config import ThresholdConfig
from asd.decision.thresholds import (
    Threshold,
    alarms_per_day,
    binomial_interval,
    fit_threshold,
    p_values,
)
from asd.errors import ConfigError, DetectorError, NotEnoughClipsError

Values = NDArray[np.float64]

scores_of = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
rates = st.floats(0.005, 0.9)


def conformal(scores: object, rate: float) -> Threshold:
    config = ThresholdConfig(method="conformal", false_alarm_rate=rate)
    return fit_threshold(config, scores)  # type: ignore[arg-type]


def nearest(memory: Values, points: Values) -> Values:
    """Distance to the nearest of `memory`: a detector that knows its training clips by heart."""
    order = np.sort(memory)
    place = np.clip(np.searchsorted(order, points), 1, len(order) - 1)
    found = np.minimum(np.abs(points - order[place - 1]), np.abs(points - order[place]))
    return np.asarray(found, dtype=np.float64)


def achieved_rates(rate: float, calibrate_on: str) -> list[float]:
    """False-alarm rates over 200 random splits of normal clips into train, calibration, test."""
    rng = np.random.default_rng(7)
    pool = rng.normal(size=1200)
    achieved = []
    for _ in range(200):
        train, held_out, test = np.split(rng.permutation(pool), [300, 548])
        calibration = train if calibrate_on == "train" else held_out
        threshold = conformal(nearest(train, calibration), rate)
        achieved.append(float((nearest(train, test) > threshold.value).mean()))
    return achieved


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.10])
def test_conformal_keeps_the_stated_rate_over_random_splits(rate: float) -> None:
    mean = float(np.mean(achieved_rates(rate, "held out")))
    assert 0.6 * rate < mean <= rate


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.10])
def test_calibration_on_training_scores_would_break_the_promise(rate: float) -> None:
    assert np.mean(achieved_rates(rate, "train")) > 2 * rate


def test_conformal_by_hand() -> None:
    # 19 scores 1..19 at 10 %: floor(20 * 0.1) = 2 may be above, so the threshold is the 18th.
    found = conformal(np.arange(1, 20)[::-1], 0.1)
    assert found == Threshold(18.0, "conformal", 2 / 20, 0.1, 19)


@pytest.mark.parametrize(("n", "rate", "value"), [(19, 0.05, 19), (99, 0.07, 93), (99, 0.29, 71)])
def test_rounding_of_the_rate_costs_no_clip(n: int, rate: float, value: float) -> None:
    assert conformal(np.arange(1, n + 1), rate).value == value


def test_too_few_clips_promise_the_lowest_rate_and_say_so() -> None:
    found = conformal(np.arange(9.0), 0.01)
    assert found.value == 8.0
    assert (found.promised_rate, found.asked_rate, found.n_calibration) == (0.1, 0.01, 9)
    for part in ("9 clips of the calibration", "0.01 ", " 0.1,", "99 clips are needed"):
        assert part in found.note
    assert conformal(np.arange(99.0), 0.01).note == ""


@settings(deadline=None, max_examples=60)
@given(scores_of, rates, st.randoms())
def test_conformal_does_not_depend_on_order(
    scores: list[float], rate: float, random: object
) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert conformal(shuffled, rate) == conformal(scores, rate)


@settings(deadline=None, max_examples=60)
@given(scores_of, rates, rates)
def test_fewer_false_alarms_need_a_higher_threshold(
    scores: list[float], a: float, b: float
) -> None:
    low, high = sorted([a, b])
    assert conformal(scores, low).value >= conformal(scores, high).value


@settings(deadline=None, max_examples=60)
@given(scores_of, rates)
def test_conformal_guarantee_by_exchangeability(scores: list[float], rate: float) -> None:
    """Of n + 1 exchangeable clips each is equally likely to be the new one."""
    alarms, promised = 0, 1.0
    pool = [*scores, 0.5]
    for new in range(len(pool)):
        threshold = conformal(pool[:new] + pool[new + 1 :], rate)
        alarms += pool[new] > threshold.value
        promised = threshold.promised_rate or 0.0
    assert alarms / len(pool) <= promised + 1e-12
    assert promised <= max(rate, 1 / len(pool)) + 1e-9


@settings(deadline=None, max_examples=60)
@given(scores_of, scores_of, rates)
def test_threshold_and_p_value_decide_alike(
    calibration: list[float], scores: list[float], rate: float
) -> None:
    threshold = conformal(calibration, rate)
    above = np.asarray(scores) > threshold.value
    assert threshold.promised_rate is not None
    assert (above == (p_values(calibration, scores) <= threshold.promised_rate)).all()


def test_recordings_weigh_the_same_by_hand() -> None:
    # Of three recordings a has one clip and b and c four each: P <= (1 + share above) / 4.
    scores, recordings = [9.0, 1, 2, 3, 4, 5, 6, 7, 8], list("abbbbcccc")
    rate = ThresholdConfig(false_alarm_rate=0.5)
    # Above 9 nothing, above 8 all of a: (1 + 1) / 4; above 7 a and a quarter of c: 2.25 / 4.
    found = fit_threshold(rate, scores, None, recordings)
    assert (found.value, found.promised_rate) == (8.0, 0.5)
    assert p_values(scores, [9.5, 8.5, 7.5, 4.5, 0], recordings).tolist() == [
        0.25,
        0.5,
        0.5625,
        0.75,
        1.0,
    ]
    few = fit_threshold(ThresholdConfig(false_alarm_rate=0.05), scores, None, recordings)
    assert (few.value, few.promised_rate) == (9.0, 0.25)
    assert "3 recordings of the calibration cannot promise" in few.note
    assert "19 recordings are needed" in few.note


@settings(deadline=None, max_examples=60)
@given(scores_of, scores_of, rates, st.integers(1, 5))
def test_threshold_and_p_value_decide_alike_with_recordings(
    calibration: list[float], scores: list[float], rate: float, each: int
) -> None:
    recordings = np.arange(len(calibration)) // each
    config = ThresholdConfig(false_alarm_rate=rate)
    threshold = fit_threshold(config, calibration, None, recordings)
    assert threshold.promised_rate is not None
    p = p_values(calibration, scores, recordings)
    assert ((np.asarray(scores) > threshold.value) == (p <= threshold.promised_rate + 1e-9)).all()


def test_p_values_by_hand() -> None:
    assert p_values([1, 2, 2, 3], [0, 2, 2.5, 9]).tolist() == [1.0, 0.8, 0.4, 0.2]


def test_mean_std_and_quantile_by_hand() -> None:
    mean_std = fit_threshold(ThresholdConfig(method="mean_std", k=2), [1, 3, 1, 3])
    assert mean_std == Threshold(4.0, "mean_std", None, None, 4)
    quantile = fit_threshold(ThresholdConfig(method="quantile", quantile=0.75), [0, 1, 2, 3, 4])
    assert quantile == Threshold(3.0, "quantile", None, 0.25, 5)


def test_fixed_needs_no_calibration() -> None:
    assert fit_threshold(ThresholdConfig(method="fixed", value=0.002), []).value == 0.002


def test_gamma_finds_the_quantile_of_gamma_scores() -> None:
    scores = 5 + np.random.default_rng(0).gamma(3.0, 2.0, size=4000)
    found = fit_threshold(ThresholdConfig(method="gamma", quantile=0.9), scores)
    assert found.value == pytest.approx(5 + 10.645, rel=0.03)  # gamma(3, scale 2) at 0.9: 10.6446
    assert fit_threshold(ThresholdConfig(method="gamma"), [2.0, 2.0, 2.0]).value == 2.0


def test_best_f1_by_hand() -> None:
    # Above 2.5: 3 of 3 anomalies and 1 of 4 normals, F1 = 6/7; above 3.5: 2 and 0, F1 = 4/5.
    config = ThresholdConfig(method="best_f1")
    assert fit_threshold(config, [0, 1, 2, 3.2], [3, 4, 5]).value == 2.5
    # All alike: only the threshold below all of them finds anything.
    assert fit_threshold(config, [1.0], [1.0]).value < 1.0
    with pytest.raises(ConfigError, match="best_f1 needs labelled anomalies"):
        fit_threshold(config, [0.0, 1.0])


@pytest.mark.parametrize("method", ["conformal", "mean_std", "quantile", "gamma"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_must_be_finite(method: str, bad: float) -> None:
    config = ThresholdConfig.parse({"method": method})
    with pytest.raises(DetectorError, match="1 of 2 scores are NaN or infinite"):
        fit_threshold(config, [0.0, bad])


def test_no_calibration_clip_is_an_error() -> None:
    with pytest.raises(NotEnoughClipsError, match="no held-out normal clip"):
        conformal([], 0.05)


def test_threshold_survives_json() -> None:
    found = conformal(np.arange(5.0), 0.01)
    assert Threshold.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_binomial_interval_by_hand() -> None:
    # No event in n trials: the upper end is 1 - 0.025 ** (1 / n).
    assert binomial_interval(0, 20) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert binomial_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1.0))
    low, high = binomial_interval(5, 100)
    assert (round(low, 4), round(high, 4)) == (0.0164, 0.1128)


def test_alarms_per_day() -> None:
    assert alarms_per_day(0.01, 2.0) == pytest.approx(432.0)
