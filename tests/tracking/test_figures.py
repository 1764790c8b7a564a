"""What a server tells Prometheus of the rows that it has judged."""

import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from asd.tracking.figures import PORT, Figures, told_figures


def test_rows_are_counted_by_what_came_of_them() -> None:
    registry = CollectorRegistry()
    figures = Figures(registry)
    for alarm, seconds in ((True, 10.0), (False, 5.0), (False, 5.0), (None, None)):
        with figures.row() as answer:
            answer |= {"is_anomaly": alarm, "duration_s": seconds}
    for outcome, number in (("alarm", 1), ("normal", 2), ("error", 1)):
        assert registry.get_sample_value("asd_rows_total", {"outcome": outcome}) == number
    assert registry.get_sample_value("asd_sound_seconds_total") == 20
    assert registry.get_sample_value("asd_row_seconds_count") == 4


def test_figures_are_told_on_the_port_that_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(PORT, raising=False)
    told_figures()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv(PORT, str(port))
    told_figures()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"asd_sound_seconds_total 0.0" in answer.read()
    assert caplog.text == ""
    # A second worker finds the port taken, and judges all the same.
    for wrong in (str(port), "many", "99999"):
        monkeypatch.setenv(PORT, wrong)
        told_figures()
        assert f"{PORT}={wrong}: no figures of this process are told" in caplog.text
