"""Lines for the terminal that say what they show."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from asd.decision.thresholds import Threshold
from asd.evaluation.listing import alarm_lines
from asd.evaluation.report import threshold_lines
from asd.pipeline.verdict import Verdict, Window


def verdict(score: float) -> Verdict:
    return Verdict((Window(0.0, 1.0, score, True, 0.01),), 1.0, score, True, 0.01)


def test_alarms_that_are_not_named_are_counted() -> None:
    seven = {Path(f"{n}.wav"): verdict(2.0 + n) for n in range(7)}
    lines = alarm_lines(seven)
    assert [line.split(":")[0].strip() for line in lines[:5]] == [
        f"{n}.wav" for n in (6, 5, 4, 3, 2)
    ]
    assert lines[5:] == ["  and 2 more in files.csv"]
    assert len(alarm_lines({Path("a.wav"): verdict(2.0)})) == 1


def test_a_threshold_that_was_given_is_not_said_to_come_from_clips() -> None:
    given = Threshold(0.0012, "fixed", None, None, 42)
    pipeline = SimpleNamespace(threshold=given, decision=SimpleNamespace(note=""))
    lines = threshold_lines(cast(Any, pipeline), cast(Any, None))
    assert lines == ["threshold 0.0012, as given; it promises nothing"]
