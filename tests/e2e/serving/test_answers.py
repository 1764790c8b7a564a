"""Recordings in any form and container get the scores that `evaluate` gave."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import soundfile

from asd.audio.encode import transcode
from asd.data.demo.media import write_m4a, write_mp4
from tests.e2e import hostile
from tests.e2e.serving.asking import (
    Rows,
    as_wav,
    ask,
    judge,
    logged_model,
    text,
)
from tests.media import write_media

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

pytestmark = pytest.mark.e2e


def test_wav_clips_get_the_scores_that_evaluate_gave(
    server: str, evaluated: dict[Path, float]
) -> None:
    rows = judge(server, *(path.read_bytes() for path in evaluated))
    assert [row["anomaly_score"] for row in rows] == pytest.approx(
        list(evaluated.values()), abs=1e-4
    )
    assert all(row["error"] is None for row in rows)
    assert all(row["is_anomaly"] == (row["anomaly_score"] > row["threshold"]) for row in rows)
    assert all(0 < row["p_value"] <= 1 for row in rows)
    assert [row["duration_s"] for row in rows] == pytest.approx([1.0] * len(rows))


def test_all_json_forms_are_understood(
    server: str, connection: hostile.Connection, knock: Path
) -> None:
    audio = text(knock.read_bytes())
    forms: list[object] = [
        {"dataframe_records": [{"audio": audio}]},
        {"dataframe_split": {"columns": ["audio"], "data": [[audio]]}},
        {"instances": [{"audio": audio}]},
        {"inputs": {"audio": [audio]}},
        {"inputs": {"audio": f"data:audio/wav;base64,{audio}"}},
        {"inputs": {"audio": [audio.translate(str.maketrans("+/", "-_")).rstrip("=")]}},
    ]
    answers = [ask(server, form) for form in forms]
    assert len(answers[0]) == 1
    assert answers == [answers[0]] * 6
    assert ask(server, {"inputs": {"audio": [audio, audio]}}) == answers[0] * 2
    frame = pd.DataFrame({"audio": [audio]})
    for body, kind in (
        (frame.to_csv(index=False).encode(), "text/csv"),
        (frame.to_parquet(index=False), "application/vnd.apache.parquet"),
        (json.dumps(forms[0]).encode(), "application/json; charset=utf-8"),
    ):
        status, answer = connection.post(body, kind)
        assert (status, json.loads(answer)["predictions"]) == (200, answers[0])


def test_the_example_that_was_logged_is_answered(
    journey: "dict[str, Ran]", connection: hostile.Connection
) -> None:
    example = logged_model(journey)[1] / "serving_input_example.json"
    status, answer = connection.post(example.read_text(encoding="utf-8"))
    [row] = json.loads(answer)["predictions"]
    assert (status, row["id"], row["error"]) == (200, "example", None)


def test_params_say_what_is_told_and_by_which_threshold(
    connection: hostile.Connection, evaluated: dict[Path, float], knock: Path
) -> None:
    calm = min(evaluated, key=lambda path: evaluated[path])
    cells = [text(calm.read_bytes()), text(knock.read_bytes())]

    def told(**params: object) -> Rows:
        return connection.rows(*cells, params=params)

    plain = told()
    assert all(row["model_version"] == "models:/hum/1" for row in plain)
    assert all(row["windows"] is row["explanation"] is None for row in plain)
    for row in told(windows=True, explain=True):
        [window] = row["windows"]
        assert window["anomaly_score"] == row["anomaly_score"]
        assert (window["start_s"], window["duration_s"]) == (0.0, 1.0)
        assert all(0 <= low < high <= 4000 for low, high in row["explanation"]["bands_hz"])
        assert all(0 <= start < end <= 1 for start, end in row["explanation"]["times_s"])
    [_, found] = told(explain=True)
    assert "Hz" in found["explanation"]["sentence"]
    assert any(low < 1500 < high for low, high in found["explanation"]["bands_hz"])
    assert [row["is_anomaly"] for row in told(threshold=0.0)] == [True, True]
    assert [row["is_anomaly"] for row in told(threshold=1e9)] == [False, False]
    assert [row["p_value"] for row in told(false_alarm_rate=0.5)] == [r["p_value"] for r in plain]
    assert told(false_alarm_rate=0.5)[0]["threshold"] < plain[0]["threshold"]
    assert told() == plain


def test_rows_are_called_in_the_answer_as_they_were_in_the_request(
    connection: hostile.Connection, knock: Path
) -> None:
    audio = text(knock.read_bytes())
    rows = [{"audio": audio, "id": "朝"}, {"audio": "%%%", "id": "夜", "machine": "pump"}]
    status, answer = connection.post(json.dumps({"dataframe_records": rows}))
    first, second = json.loads(answer)["predictions"]
    assert (status, first["id"], second["id"]) == (200, "朝", "夜")
    assert first["error"] is None
    assert second["error"].startswith("audio: not base64")


@pytest.mark.parametrize(
    "suffix", [".mp3", ".flac", ".m4a", ".mp4", ".aiff", ".mkv", ".mov", ".avi", ".ogg", ".webm"]
)
def test_other_containers_are_judged_as_the_wav_is(
    server: str, knock: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    if suffix == ".mp3":
        transcode(knock, path, "mp3")
    elif suffix == ".flac":
        transcode(knock, path, "flac")
    else:
        samples, rate = soundfile.read(knock, dtype="float32")
        write = {".m4a": write_m4a, ".mp4": write_mp4}.get(suffix)
        if write:
            write(path, samples, rate)
        else:
            write_media(path, [samples], rate)
    [wav, other] = judge(server, knock.read_bytes(), path.read_bytes())
    assert other["error"] is None
    assert other["is_anomaly"] is wav["is_anomaly"] is True
    assert other["duration_s"] == pytest.approx(wav["duration_s"], abs=0.2)


def test_a_longer_recording_is_judged_by_its_worst_window(
    server: str, evaluated: dict[Path, float], knock: Path
) -> None:
    calm = min(evaluated, key=lambda path: evaluated[path])
    parts = [soundfile.read(path, dtype="float32")[0] for path in (calm, knock, calm)]
    [row] = judge(server, as_wav(np.concatenate(parts)))
    assert row["duration_s"] == pytest.approx(3.0)
    assert row["anomaly_score"] == pytest.approx(evaluated[knock], abs=1e-4)


def test_the_channel_of_the_training_is_what_is_heard_of_two(
    server: str, project: "Project"
) -> None:
    noise = np.random.default_rng(0).standard_normal(6 * 8000)
    alone, beside, opposite = [], [], []
    for path in sorted((project.root / "録音 1" / "normal").iterdir()):
        samples, _ = soundfile.read(path, dtype="float32")
        alone.append(as_wav(samples))
        beside.append(as_wav(np.stack([samples, 0.3 * noise], 1)))
        opposite.append(as_wav(np.stack([samples, -samples], 1)))
    rows = judge(server, *alone)
    assert not any(row["warnings"] or row["error"] for row in rows)
    # Four recordings to calibrate on promise one alarm in five, and no fewer.
    assert sum(row["is_anomaly"] for row in rows) <= 1
    assert judge(server, *beside) == judge(server, *opposite) == rows


def test_base64_folded_into_lines_is_read(server: str, knock: Path) -> None:
    folded = base64.encodebytes(knock.read_bytes()).decode()
    assert "\n" in folded.strip()
    [row] = ask(server, {"dataframe_records": [{"audio": folded}]})
    assert row["error"] is None


def test_eight_requests_at_once_are_each_answered_rightly(
    server: str, evaluated: dict[Path, float]
) -> None:
    paths = list(evaluated)[-8:]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda path: judge(server, path.read_bytes()), paths * 4))
    found = [row["anomaly_score"] for [row] in answers]
    assert found == pytest.approx([evaluated[path] for path in paths * 4], abs=1e-4)
