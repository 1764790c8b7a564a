"""What is promised is kept on simulated recordings that differ between and within."""

import numpy as np
import pytest

from asd.decision.decision import Decision
from asd.decision.thresholds import binomial_interval
from benchmarks.hierarchical import Study, World, alarm_rates, random_study

DATA_SETS = 400
NEW_RECORDINGS = 2


@pytest.mark.parametrize("m", [1, 6, 60, 360])
def test_recordings_and_events_keep_the_promise(m: int) -> None:
    rng = np.random.default_rng(m)
    achieved, promised = [], []
    for _ in range(DATA_SETS // 4):
        study = random_study(rng, most=60)
        calibration = study.calibration(rng)
        new = study.world.draw(rng, NEW_RECORDINGS, m)
        for rate in (0.01, 0.05, 0.1):
            decision = study.decide(calibration, rate)
            achieved.append(alarm_rates(decision, new))
            assert decision.rate is not None
            promised.append(decision.rate)
    mean_promised = float(np.mean(promised))
    for alarmed in np.sum(achieved, axis=0) * NEW_RECORDINGS / 3:
        # One recording judged at three rates counts as one: the alarms are not independent.
        n = DATA_SETS // 4 * NEW_RECORDINGS
        low, _ = binomial_interval(round(float(alarmed)), n)
        assert low <= mean_promised


@pytest.mark.parametrize("family", ["normal", "skewed", "own spread", "lognormal"])
def test_rates_are_near_the_promise_where_recordings_are_long_enough(family: str) -> None:
    rng = np.random.default_rng(3)
    study = Study(World(family, 1.0), 59, 12)
    rates = []
    for _ in range(100):
        decision = study.decide(study.calibration(rng), 0.05)
        rates.append(alarm_rates(decision, study.world.draw(rng, 8, 6)))
    verdicts, events = np.mean(rates, axis=0)
    assert 0.02 < verdicts < 0.08
    assert 0.02 < events < 0.08


def test_a_fault_in_the_last_fifth_of_ten_minutes_is_told() -> None:
    rng = np.random.default_rng(4)
    study = Study(World("normal", 1.0), 60, 60)
    rates = []
    for _ in range(10):
        decision = study.decide(study.calibration(rng), 0.05)
        faulty = study.world.draw(rng, 10, 60)
        faulty[:, 48:] += 4.0
        rates.append(alarm_rates(decision, faulty))
    assert min(np.mean(rates, axis=0)) > 0.9


def test_more_windows_of_healthy_sound_do_not_alarm_more() -> None:
    # The rule of any window above the threshold alarms nearly always here.
    rng = np.random.default_rng(5)
    study = Study(World("normal", 3.0), 40, 10)
    any_window, verdicts = [], []
    for _ in range(30):
        decision: Decision = study.decide(study.calibration(rng), 0.05)
        new = study.world.draw(rng, 10, 360)
        any_window.append(np.mean([decision.alarms(scores).any() for scores in new]))
        verdicts.append(alarm_rates(decision, new))
    assert np.mean(any_window) > 0.9
    assert max(np.mean(verdicts, axis=0)) < 0.05
