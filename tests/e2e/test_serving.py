"""The champion behind ``mlflow models serve``, from a folder that knows nothing of the project."""

import base64
import csv
import importlib.util
import io
import json
import marshal
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.audio.encode import transcode
from asd.data.demo.media import write_m4a, write_mp4
from tests.e2e import hostile
from tests.media import write_media

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

pytestmark = pytest.mark.e2e

FIELDS = {
    "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows", "events",
    "windows", "warnings", "explanation", "model_version", "error",
}  # fmt: skip
LISTS = {"events", "warnings"}

Rows = list[dict[str, Any]]

# An editable install would lend the server this checkout's package instead of the model's own.
WITHOUT_PACKAGE = """\
import sys

sys.meta_path = [
    finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")
]
"""


@pytest.fixture(scope="module")
def stranger(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> tuple[Path, dict[str, str]]:
    """A folder and an environment in which the package is not installed."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT_PACKAGE, encoding="utf-8")
    without = environment | {"PYTHONPATH": str(folder / "site")}
    return folder, without


@pytest.fixture(scope="module")
def server(
    journey: "dict[str, Ran]",
    stranger: tuple[Path, dict[str, str]],
    web_server: Callable[..., AbstractContextManager[str]],
) -> Iterator[str]:
    """The address of a running server of the champion."""
    folder, without = stranger
    champion = "models:/hum@champion"
    command = ["mlflow", "models", "serve", "-m", champion, "--env-manager", "local"]
    uri = {"MLFLOW_TRACKING_URI": journey["promote"].store}
    with web_server(command, "/ping", folder, without | uri) as address:
        yield address


@pytest.fixture(scope="module")
def evaluated(journey: "dict[str, Ran]", project: "Project") -> dict[Path, float]:
    """The test clips and the scores that `evaluate` gave them."""
    with (journey["evaluate"].artifacts / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {project.root / "data/hum" / row["path"]: float(row["anomaly_score"]) for row in rows}


@pytest.fixture(scope="module")
def knock(evaluated: dict[Path, float]) -> Path:
    """The clip with the highest score."""
    return max(evaluated, key=lambda path: evaluated[path])


@pytest.fixture
def connection(server: str) -> Iterator[hostile.Connection]:
    """A connection to the server, kept open during a test."""
    made = hostile.Connection(server)
    yield made
    made.close()


def no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def ask(address: str, body: object) -> Rows:
    request = urllib.request.Request(
        f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=1800) as answer:
        rows: Rows = json.loads(answer.read(), parse_constant=no_constant)["predictions"]
    assert all(set(row) == FIELDS for row in rows)
    return rows


def judge(address: str, *contents: bytes) -> Rows:
    return ask(address, {"dataframe_records": [{"audio": text(content)} for content in contents]})


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def as_wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV")
    return file.getvalue()


def picture_only(path: Path) -> bytes:
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path.read_bytes()


def test_the_server_has_only_the_code_that_was_logged(
    stranger: tuple[Path, dict[str, str]],
) -> None:
    folder, without = stranger
    done = subprocess.run(
        [sys.executable, "-c", "import asd"], cwd=folder, env=without, capture_output=True
    )
    assert b"No module named 'asd'" in done.stderr


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


def logged_model(journey: "dict[str, Ran]") -> tuple[str, Path]:
    uri = journey["evaluate"].run.data.params["model"]
    logged = journey["train"].client.get_logged_model(uri.removeprefix("models:/"))
    return uri, Path(logged.artifact_location.removeprefix("file://"))


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


LOAD = """\
import pathlib, sys, mlflow

def load():
    try:
        model = mlflow.pyfunc.load_model(sys.argv[1]).unwrap_python_model()
        print("loaded", model.pipeline.threshold.value)
    except mlflow.exceptions.MlflowException as error:
        print("refused", str(error).replace("\\n", " "))

load()
for path in map(pathlib.Path, sys.argv[2:]):
    before = path.read_text(encoding="utf-8")
    path.write_text(before + " ", encoding="utf-8")
    load()
    path.write_text(before, encoding="utf-8")
load()
"""


def test_a_server_runs_the_files_that_were_logged_and_no_others(
    journey: "dict[str, Ran]", stranger: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, without = stranger
    ran = journey["train"]
    uri, model = logged_model(journey)

    # Byte code whose header says that it belongs to the source beside it, which is untouched.
    source = model / "code/asd/errors.py"
    mark = tmp_path / "byte code has run"
    poison = compile(f"open({str(mark)!r}, 'w')\n{source.read_text()}", str(source), "exec")
    stat = source.stat()
    head = struct.pack("<III", 0, int(stat.st_mtime), stat.st_size & 0xFFFFFFFF)
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(importlib.util.MAGIC_NUMBER + head + marshal.dumps(poison))
    changed = [
        str(model / name) for name in ("artifacts/pipeline/pipeline.json", "code/asd/text.py")
    ]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, *changed],
        cwd=folder,
        env=without | {"MLFLOW_TRACKING_URI": ran.store},
        capture_output=True,
        text=True,
    )
    cached.unlink()
    answers = [line for line in done.stdout.splitlines() if line.startswith(("loaded", "refused"))]
    assert [line.split()[0] for line in answers] == ["loaded", "refused", "refused", "loaded"]
    assert all("its files are not those that were logged" in line for line in answers[1:3])
    assert not mark.exists()


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
