"""What cannot be judged costs its own row alone, and is answered by a line that says why."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e import hostile
from tests.e2e.serving.asking import FIELDS, LISTS, as_wav, ask, judge, picture_only, text

if TYPE_CHECKING:
    from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e


def test_hostile_bodies_are_answered_by_a_line_of_json(
    connection: hostile.Connection, knock: Path
) -> None:
    for body, kind in hostile.bodies(text(knock.read_bytes())):
        hostile.check(*connection.post(body, kind))


def test_good_rows_beside_hostile_ones_get_their_scores(
    connection: hostile.Connection, evaluated: dict[Path, float], knock: Path
) -> None:
    good = text(knock.read_bytes())
    sounds = list(hostile.cells())
    rows = connection.rows(good, *(cell for bad in sounds for cell in (bad, good)))
    assert [row["anomaly_score"] for row in rows[::2]] == pytest.approx(
        [evaluated[knock]] * (len(sounds) + 1), abs=1e-4
    )
    assert all(row["error"] and row["anomaly_score"] is None for row in rows[1::2])
    for bad in sounds:
        hostile.check(*connection.post(json.dumps({"dataframe_records": [{"audio": bad}]})))


def test_whatever_is_sent_is_answered_by_json_and_good_rows_are_judged(
    connection: hostile.Connection, evaluated: dict[Path, float], knock: Path
) -> None:
    content = knock.read_bytes()

    @settings(max_examples=100)
    @given(hostile.structures())
    def shapes(body: object) -> None:
        hostile.check(*connection.post(json.dumps(body)))

    @settings(max_examples=80)
    @given(st.lists(hostile.broken(content), min_size=1, max_size=3))
    def recordings(bad: list[str]) -> None:
        first, *others, last = connection.rows(text(content), *bad, text(content))
        assert first == last
        assert first["anomaly_score"] == pytest.approx(evaluated[knock], abs=1e-4)
        assert all((row["error"] is None) == (row["anomaly_score"] is not None) for row in others)

    shapes()
    recordings()


def test_rows_that_cannot_be_judged_say_why_and_spare_the_others(
    server: str, knock: Path, tmp_path: Path
) -> None:
    good = text(knock.read_bytes())
    bad = {
        "not base64": "%%%",
        "cannot be read": text(b"this is no sound\n" * 50),
        "no audio": text(picture_only(tmp_path / "mute.mp4")),
        "silen": text(as_wav(np.zeros(8000))),
        "empty": "",
    }
    audio = [good, *bad.values(), good]
    first, *refused, last = ask(server, {"dataframe_records": [{"audio": row} for row in audio]})
    assert first == last
    assert first["error"] is None
    for reason, row in zip(bad, refused, strict=True):
        assert reason in row["error"]
        assert "\n" not in row["error"]
        assert {row[field] for field in FIELDS - LISTS - {"error", "model_version"}} == {None}
        assert [row[field] for field in LISTS] == [[], []]


def test_what_cannot_be_compared_carries_a_warning_or_is_refused(
    server: str, project: "Project"
) -> None:
    samples, rate = soundfile.read(project.root / "録音 1/normal/normal 0.wav", dtype="float32")
    narrow, tail = io.BytesIO(), as_wav(samples)[:-4000]
    soundfile.write(narrow, samples[::2], rate // 2, format="WAV")
    low, short, dropped, cut = judge(
        server, narrow.getvalue(), as_wav(samples[:4000]), as_wav(samples[:40]), tail
    )
    assert "recorded at 4000 Hz, the model knows 8000 Hz: not comparable" in low["warnings"]
    assert any("lasts 0.50 s" in warning for warning in short["warnings"])
    assert "holds 0.005 s of sound, less than the 0.1 s" in dropped["error"]
    assert "cut short, its header promises 96000 bytes but 92000 are there" in cut["error"]
    at = tail.index(b"data") + 4
    [row] = judge(server, tail[:at] + b"\xff" * 4 + tail[at + 4 :])
    assert row["error"] is None
    assert "its header states 4294967295 bytes, 92000 are there" in row["warnings"][0]


def test_headers_that_lie_cost_their_own_row_alone(server: str, knock: Path) -> None:
    good = knock.read_bytes()
    fmt = good.index(b"fmt ") + 8
    lies = [
        good[: fmt + at] + number.to_bytes(width, "little") + good[fmt + at + width :]
        for at, width, numbers in (
            (0, 2, (0, 0xFFFF)), (4, 4, (0, 1, 7, 2**31 - 1)), (14, 2, (0, 255)),
        )
        for number in numbers
    ]  # fmt: skip
    first, *refused, last = judge(server, good, *lies, good)
    assert first == last
    assert first["error"] is None
    assert all(row["error"] and "\n" not in row["error"] for row in refused)


def test_a_request_with_too_many_rows_is_judged_up_to_the_limit(server: str, knock: Path) -> None:
    rows = ask(
        server,
        {"dataframe_records": [{"audio": text(knock.read_bytes())}, *[{"audio": "AAAA"}] * 600]},
    )
    assert len(rows) == 601
    assert rows[0]["error"] is None
    assert "row 501 of 601, a request may hold 500" in rows[500]["error"]
