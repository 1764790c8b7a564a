"""What is sent to the server, and what every row of an answer holds."""

import base64
import io
import json
import urllib.request
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import soundfile

if TYPE_CHECKING:
    from tests.e2e.conftest import Ran

FIELDS = {
    "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows", "events",
    "windows", "warnings", "explanation", "model_version", "error",
}  # fmt: skip
LISTS = {"events", "warnings"}

Rows = list[dict[str, Any]]


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


def logged_model(journey: "dict[str, Ran]") -> tuple[str, Path]:
    uri = journey["evaluate"].run.data.params["model"]
    logged = journey["train"].client.get_logged_model(uri.removeprefix("models:/"))
    return uri, Path(logged.artifact_location.removeprefix("file://"))
