"""The champion behind ``mlflow models serve``, from a folder that knows nothing of the project."""

import base64
import csv
import io
import json
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
import pytest
import soundfile

from asd.audio.encode import transcode
from asd.data.demo.media import write_m4a, write_mp4

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

pytestmark = pytest.mark.e2e

FIELDS = {
    "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows", "events",
    "warnings", "error",
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


def test_all_four_json_forms_are_understood(server: str, knock: Path) -> None:
    audio = text(knock.read_bytes())
    forms: list[object] = [
        {"dataframe_records": [{"audio": audio}]},
        {"dataframe_split": {"columns": ["audio"], "data": [[audio]]}},
        {"instances": [{"audio": audio}]},
        {"inputs": {"audio": [audio]}},
    ]
    answers = [ask(server, form) for form in forms]
    assert len(answers[0]) == 1
    assert answers == [answers[0]] * 4


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a", ".mp4"])
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
        (write_m4a if suffix == ".m4a" else write_mp4)(path, samples, rate)
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
        assert {row[field] for field in FIELDS - LISTS - {"error"}} == {None}
        assert [row[field] for field in LISTS] == [[], []]


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
