"""Long work speaks in a log as well as in a terminal."""

import io
import sys

import pytest

from asd import progress
from asd.progress import ProgressBar


def test_where_there_is_no_terminal_it_logs_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "asd")
    monkeypatch.setattr(progress, "EVERY_S", 0)
    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    assert list(ProgressBar(range(3), desc="folds")) == [0, 1, 2]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["folds: 1 of 3", "folds: 2 of 3, about 0 s left"]
    assert error.getvalue() == ""


def test_short_work_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "asd")
    assert sum(ProgressBar(range(100), desc="quick")) == 4950
    assert not caplog.records
