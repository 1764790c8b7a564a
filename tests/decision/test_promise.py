"""How much recordings promise, and how many more are needed."""

import pytest

from asd.decision.promise import promise
from asd.errors import ConfigError


def test_one_a_day_needs_as_many_recordings_as_decisions_a_day() -> None:
    told = promise(143, 600)
    assert told.lowest_rate == 1 / 144
    assert told.alarms_per_day == pytest.approx(1.0)
    assert (told.more_for_one_a_day, told.more_for_one_a_week) == (0, 7 * 144 - 144)


def test_the_line_says_what_is_at_hand_and_what_lacks() -> None:
    line = promise(12, 20, unit_s=20).line
    assert line.startswith("12 recordings of 20 s can promise 1 false alarm in 13 decisions")
    assert "4,307 more (23.9 h) would promise one a day" in line
    assert promise(1, 20, "sessions").line.startswith("1 session can promise")


def test_enough_recordings_need_no_more() -> None:
    line = promise(2000, 600).line
    assert "more" not in line
    assert line.endswith("at most one a week")


@pytest.mark.parametrize(("n", "seconds"), [(-1, 10.0), (3, 0.0)])
def test_impossible_numbers_are_refused(n: int, seconds: float) -> None:
    with pytest.raises(ConfigError, match="count the calibration recordings"):
        promise(n, seconds)
