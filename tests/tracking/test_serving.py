"""What the server answers: every form of a cell, every fault a row of its own, limits kept."""

import base64
import io
import json
import re
import signal
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import soundfile
import uvicorn
from mlflow.exceptions import MlflowException
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc.scoring_server import InvocationsResponse

from asd.audio.decode import stream_blocks
from asd.errors import ConfigError
from asd.language import speaking
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict, Window
from asd.tracking import serving
from asd.tracking.contract import SIGNATURE, Wishes
from asd.tracking.guard import guarded
from asd.tracking.request import Limits, Work
from asd.tracking.serving import AsdModel

RATE = 16000


def wav(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    soundfile.write(file, samples, RATE, format="WAV")
    return file.getvalue()


GOOD = base64.b64encode(wav()).decode()


class Ears:
    """A pipeline that decodes, and whose score is the length of the recording."""

    def judge(self, source: bytes, machine: str | None, watch: Any) -> Verdict:
        if machine == "broken":
            raise IndexError("/home/somebody/secret.py")
        seconds = sum(map(len, stream_blocks(source, RATE, watch=watch))) / RATE
        score = float("nan") if machine == "loud" else seconds
        window = Window(0.0, seconds, score, False, 0.5)
        return Verdict((window,), 9.0, score, False, 0.5, warnings=(machine or "",))


@pytest.fixture
def model() -> AsdModel:
    """A model without limits, as steps load it."""
    made = AsdModel()
    made.use(cast(Pipeline, Ears()), "models:/pump/3")
    return made


def ask(model: AsdModel, *cells: object, **columns: list[Any]) -> list[dict[str, Any]]:
    return model.predict(None, pd.DataFrame({"audio": list(cells), **columns}))


def errors(model: AsdModel, *cells: object) -> list[str | None]:
    rows = ask(model, *cells)
    assert all("\n" not in (row["error"] or "") for row in rows)
    return [row["error"] for row in rows]


@pytest.mark.parametrize(
    "cell",
    [
        GOOD,
        wav(),
        bytearray(wav()),
        GOOD.replace("+", "-").replace("/", "_"),
        GOOD.rstrip("="),
        base64.encodebytes(wav()).decode(),
        f"data:audio/wav;base64,{GOOD}",
        f"data:audio/x-wav;codecs=1;base64,{GOOD}",
        f" DATA:;BASE64,\n{GOOD}",
    ],
)
def test_a_recording_is_read_in_every_form_that_programs_send(
    model: AsdModel, cell: object
) -> None:
    [row] = ask(model, cell)
    assert row["error"] is None
    assert row["duration_s"] == 1.0


def test_one_row_of_lists_is_as_many_rows(model: AsdModel) -> None:
    longer = base64.b64encode(wav(2)).decode()
    frame = pd.DataFrame([{"audio": [GOOD, longer], "machine": ["a", "b"]}])
    rows = model.predict(None, frame)
    assert [(row["anomaly_score"], row["warnings"]) for row in rows] == [(1, ["a"]), (2, ["b"])]
    for machine in ("a", None):
        rows = model.predict(None, pd.DataFrame([{"audio": [GOOD, longer], "machine": machine}]))
        assert [row["warnings"] for row in rows] == [[machine or ""]] * 2
    assert model.predict(None, pd.DataFrame([{"audio": []}])) == []
    rows = model.predict(None, pd.DataFrame([{"audio": [GOOD] * 2, "machine": ["a"] * 3}]))
    assert [row["error"] for row in rows] == [
        "machine: 3 given for 2 recordings; give one each"
    ] * 2


def test_whatever_is_wrong_with_a_row_the_others_are_judged(
    model: AsdModel, caplog: pytest.LogCaptureFixture
) -> None:
    cells: list[object] = [GOOD, None, 5, float("nan"), "%%%", "A", "", "é", "data:audio/wav,abc"]
    cells += [[GOOD], GOOD]
    cells += [base64.b64encode(b"no sound at all" * 9).decode(), b"", GOOD]
    found = errors(model, *cells)
    assert [place for place, error in enumerate(found) if error is None] == [0, 10, 13]
    rows = ask(model, GOOD, GOOD, GOOD, machine=[None, "broken", float("nan")])
    assert [row["error"] for row in rows] == [
        None,
        "audio: cannot be judged (IndexError); the server's log says more",
        None,
    ]
    assert "secret.py" not in str(rows)
    assert "secret.py" in caplog.text
    assert "Traceback" in caplog.text
    assert rows[1]["events"] == rows[1]["warnings"] == []
    [row] = ask(model, GOOD, machine=["loud"])
    assert "no finite number" in row["error"]


def test_a_server_answers_in_its_language(model: AsdModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASD_LANG", "ja")
    params = {"threshold": 1.0, "false_alarm_rate": 0.1}
    [both] = model.predict(None, pd.DataFrame({"audio": [GOOD]}), params)
    [broken] = ask(model, GOOD, machine=["broken"])
    told = [*errors(model, "%%%", None, "data:audio/wav,abc"), both["error"], broken["error"]]
    assert [text for text in told if not re.search("[ぁ-ん]", text or "")] == []


def test_rows_carry_the_id_that_they_were_sent_with(model: AsdModel) -> None:
    rows = ask(model, GOOD, "%%%", GOOD, id=["left", "b\x1b[31m", None])
    assert [row["id"] for row in rows] == ["left", "b\\x1b[31m", None]
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert {row["model_version"] for row in rows} == {"models:/pump/3"}
    assert "id" not in ask(model, GOOD)[0]
    [first, second] = model.predict(None, pd.DataFrame([{"audio": [GOOD] * 2, "id": ["a", "b"]}]))
    assert (first["id"], second["id"]) == ("a", "b")


def test_a_name_that_is_none_is_refused_and_not_repeated(model: AsdModel) -> None:
    rows = ask(model, GOOD, GOOD, machine=["x" * 5000, "p\n1"])
    assert rows[0]["error"] == "machine: 5000 characters long, a name has 200 at most"
    assert rows[1]["warnings"] == ["p\\n1"]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"false_alarm_rate": 0.1, "threshold": 3.0}, "cannot both be kept"),
        ({"false_alarm_rate": 0.0}, "must lie between 0 and 1"),
        ({"false_alarm_rate": float("nan")}, "must lie between 0 and 1"),
        ({"threshold": float("inf")}, "must be a finite number"),
    ],
)
def test_params_that_cannot_be_kept_are_an_error_of_each_row(
    model: AsdModel, params: dict[str, Any], reason: str
) -> None:
    rows = model.predict(None, pd.DataFrame({"audio": [GOOD, GOOD]}), params)
    assert all(reason in row["error"] for row in rows)


def test_the_schema_of_the_answers_holds_all_that_is_answered(model: AsdModel) -> None:
    [row] = ask(model, GOOD, id=["a"])
    assert list(row) == SIGNATURE.outputs.input_names()
    assert {param.name for param in SIGNATURE.params.params} == set(Wishes.__dataclass_fields__)


def refused(data: object, content_type: str | None, outcome: object) -> tuple[int, dict[str, Any]]:
    def invocations(*given: object) -> InvocationsResponse:
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, InvocationsResponse)
        return outcome

    answer = guarded(invocations)(data, content_type, None, None)
    return answer.status, json.loads(answer.response)


def test_what_mlflow_refuses_is_told_without_the_request_and_without_a_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "c2VjcmV0"
    for error in (
        MlflowException(f"Invalid input. Input: {secret}", stack_trace="Traceback: secret.py"),
        MlflowException(f"Failed to predict data '{secret}'. \nError: Failed to enforce schema"),
        RecursionError(secret),
        AttributeError(f"'NoneType' {secret}"),
    ):
        status, body = refused(secret, "application/json", error)
        assert status == 400
        assert secret not in str(body)
        assert "secret.py" not in str(body)
        assert '{"dataframe_records": [{"audio"' in body["message"]
    params = f"Failed to predict data '{secret}'. \nError: Invalid parameters found: {secret}"
    _, body = refused(secret, "application/json", MlflowException(params))
    assert body["message"].startswith("params: must be an object")
    assert all(len(record.getMessage()) < 600 for record in caplog.records)
    status, body = refused("", None, InvocationsResponse("Got 'x/y'", 415, "text/plain"))
    assert (status, body["message"].split(":")[0]) == (415, "Content-Type")
    with speaking("ja"):
        _, body = refused("", "application/json", RecursionError())
    assert body["message"].startswith("リクエストを読めません")
    good = InvocationsResponse('{"predictions": []}', 200, "application/json")
    assert refused("", "application/json", good) == (200, {"predictions": []})


def test_more_than_a_request_may_hold_is_refused_row_by_row(model: AsdModel) -> None:
    model.limits = Limits(rows=2, megabytes=0.1, seconds=1.5)
    longer = base64.b64encode(wav(2)).decode()
    found = errors(model, GOOD, longer, GOOD, GOOD)
    assert found[0] is None
    assert "lasts more than the 1.5 s" in str(found[1])
    assert "row 3 of 4, a request may hold 2" in str(found[2])
    assert "row 4 of 4" in str(found[3])
    [error] = errors(model, base64.b64encode(bytes(200_000)).decode())
    assert "audio: 0 MB, a row may hold 0.1 (ASD_MAX_MEGABYTES)" in str(error)
    assert "ASD_MAX_MEGABYTES" in str(errors(model, bytes(200_000))[0])


class Crowd:
    """A pipeline that notes how many judge at once."""

    def __init__(self) -> None:
        self.now, self.most = 0, 0
        self.lock = threading.Lock()
        self.two = threading.Event()

    def judge(self, source: bytes, machine: str | None, watch: Any) -> Verdict:  # noqa: ARG002
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now > 1:
                self.two.set()
        self.two.wait(10)
        with self.lock:
            self.now -= 1
        score = float(str(machine))
        return Verdict((Window(0.0, 1.0, score, False, 0.5),), 9.0, score, False, 0.5)


def test_a_server_judges_as_many_rows_at_once_as_it_has_cores() -> None:
    model, crowd = AsdModel(), Crowd()
    model.use(cast(Pipeline, crowd), "models:/pump/3")
    model.share(2)
    names = [str(number) for number in range(6)]

    def request(_: int) -> list[float]:
        return [row["anomaly_score"] for row in ask(model, *[GOOD] * 6, machine=names)]

    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(request, range(3)))
    # Rows of one request are shared out, and come back in order; requests take turns.
    assert answers == [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]] * 3
    assert crowd.two.is_set()
    assert crowd.most == 2


def test_the_length_is_looked_at_while_it_is_decoded() -> None:
    """Headers that state nothing, or too little, do not get around the limit."""
    heard: list[float] = []

    def watch(seconds: float) -> None:
        heard.append(seconds)
        Work(Limits(seconds=1.0)).watch(seconds)

    content = wav(20)
    at = content.index(b"data") + 4
    unknown = content[:at] + struct.pack("<I", 0xFFFFFFFF) + content[at + 4 :]
    for sound in (unknown, content):
        heard.clear()
        with pytest.raises(Exception, match="lasts more than the 1 s"):
            list(stream_blocks(sound, watch=watch))
        assert len(heard) < 30
    flac = io.BytesIO()
    soundfile.write(flac, np.tile([0.5, 0], 10 * RATE), RATE, format="FLAC")
    stated = bytearray(flac.getvalue())
    stated[21:26] = bytes([stated[21] & 0xF0, 0, 0, 0, 0])
    heard.clear()
    with pytest.raises(Exception, match="lasts more than the 1 s"):
        list(stream_blocks(bytes(stated), watch=watch))
    assert heard[-1] < 2


def test_work_ends_with_its_request(model: AsdModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1000))
    work = Work(Limits(request_s=10), lambda: float(next(seconds)))
    sound = base64.b64decode(base64.b64encode(wav(60)))
    with pytest.raises(Exception, match="not judged within the 10 s of a request"):
        list(stream_blocks(sound, watch=work.watch))
    assert next(seconds) < 20
    monkeypatch.setattr(serving, "Work", lambda _: work)
    assert all("not judged within" in str(error) for error in errors(model, GOOD, GOOD))


class Uvicorn:
    """A server as far as the handler of its signals goes."""

    should_exit = False

    def handle_exit(self, *_: object) -> None:
        self.should_exit = True


def test_the_signal_that_ends_the_server_ends_its_work(model: AsdModel) -> None:
    assert callable(uvicorn.Server.handle_exit)
    before = signal.signal(signal.SIGTERM, Uvicorn().handle_exit)
    try:
        assert errors(model, GOOD) == [None]
        signal.raise_signal(signal.SIGTERM)
        assert errors(model, GOOD) == [
            "audio: not judged, the server is about to end; send it again"
        ]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_limits_are_the_servers_and_come_from_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ROWS", "MEGABYTES", "SECONDS"):
        monkeypatch.delenv(f"ASD_MAX_{name}", raising=False)
    assert Limits.of_server() == Limits(500, 100, 3600, 54)
    monkeypatch.setenv("ASD_MAX_ROWS", "7")
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "100")
    assert Limits.of_server() == Limits(7, 100, 3600, 90)
    for wrong in ("many", "0", "-1", "nan"):
        monkeypatch.setenv("ASD_MAX_SECONDS", wrong)
        with pytest.raises(ConfigError, match=f"ASD_MAX_SECONDS={wrong}: must be a number"):
            Limits.of_server()


def test_bytes_pass_the_signature_of_a_model() -> None:
    given = pd.DataFrame({"audio": [wav(), GOOD]})
    assert list(_enforce_schema(given, SIGNATURE.inputs)["audio"]) == [wav(), GOOD]
