"""The client, and ``asd ask``, before a server that answers as ours does."""

import base64
import csv
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asd.cli.main import app
from asd.client import Client
from asd.errors import ServerError

GOOD = {
    "anomaly_score": 2.5, "threshold": 2.0, "is_anomaly": True, "p_value": 0.01, "duration_s": 4.0,
    "n_windows": 1, "events": [], "windows": None, "warnings": ["quiet", "short"],
    "explanation": {"bands_hz": [[3100.0, 5600.0]], "times_s": [[0.5, 2.0]]},
    "model_version": "models:/pump/3", "error": None,
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Judges a file by its first word; keeps what it was asked."""

    asked: list[dict[str, Any]]
    busy = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        content = base64.b64decode(body["dataframe_records"][0]["audio"]).decode()
        status, answer = 200, json.dumps({"predictions": [GOOD]})
        if self.server.busy:
            self.server.busy -= 1
            status, answer = 503, "busy"
        elif content == "bad":
            row = dict.fromkeys(GOOD) | {"error": "audio: cannot be read\x1b[31m"}
            answer = json.dumps({"predictions": [row]})
        elif content == "refuse":
            status, answer = 400, json.dumps({"message": "params: must be an object"})
        elif content == "stranger":
            answer = "<html>"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def asd(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_recording_is_sent_with_machine_and_params(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("good")
    client = Client(f"{url(server)}/")
    assert client.judge(tmp_path / "a.wav", machine="pump 1", explain=True) == GOOD
    assert client.judge(b"good") == GOOD
    audio = base64.b64encode(b"good").decode()
    assert server.asked == [
        {"dataframe_records": [{"audio": audio, "machine": "pump 1"}], "params": {"explain": True}},
        {"dataframe_records": [{"audio": audio}]},
    ]


def test_what_cannot_be_asked_is_one_line(server: Server) -> None:
    with pytest.raises(ServerError, match=r"refuses the request \(HTTP 400: params: must be"):
        Client(url(server)).judge(b"refuse")
    with pytest.raises(ServerError, match="not as a server of a model"):
        Client(url(server)).judge(b"stranger")
    for nowhere in ("http://127.0.0.1:9", "nowhere", "http://[bad"):
        with pytest.raises(ServerError, match="cannot be asked"):
            Client(nowhere).judge(b"good")


def test_the_command_speaks_the_language_of_who_gives_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASD_LANG", "ja")
    for name, content in (("good", "good"), ("refused", "bad")):
        (tmp_path / f"{name}.wav").write_text(content)
    done = asd("ask", tmp_path, "--url", url(server), "--output", tmp_path / "answers.csv")
    assert [line for line in done.stdout.splitlines() if not re.search("[ぁ-んァ-ン]", line)] == []
    with pytest.raises(ServerError, match="接続できません"):
        Client("nowhere").judge(b"good")


def test_a_server_that_starts_is_waited_for(server: Server) -> None:
    server.busy = 1
    assert Client(url(server), patience_s=60).judge(b"good") == GOOD
    server.busy = 1
    with pytest.raises(ServerError):
        Client(url(server)).judge(b"good")


def test_a_folder_is_asked_about_in_one_command(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "朝"
    folder.mkdir()
    for name in ("ポンプ 1.wav", "b.mp4"):
        (folder / name).write_text("good")
    output = tmp_path / "answers.csv"
    done = asd("ask", folder, "--url", url(server), "--output", output)
    assert done.exit_code == 0, done.output
    assert "asked about 2 recordings: 2 with an alarm" in done.output
    assert "ポンプ 1.wav: score 2.5, p-value 0.01, 3100–5600 Hz, 0.5–2.0 s" in done.output
    assert output.read_bytes().startswith(b"\xef\xbb\xbffile,")
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    assert rows["ポンプ 1.wav"]["warnings"] == "quiet; short"
    assert rows["b.mp4"]["is_anomaly"] == "1"
    assert all(body["params"] == {"explain": True} for body in server.asked)


def test_recordings_that_could_not_be_judged_are_shown(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("good")
    (tmp_path / "b.wav").write_text("bad")
    output = tmp_path / "answers.csv"
    done = asd("ask", tmp_path, "--url", url(server), "--output", output, "--false_alarm_rate", 0.1)
    assert isinstance(done.exception, ServerError)
    assert "1 of 2 recordings not judged" in str(done.exception)
    assert r"b.wav: not judged: audio: cannot be read\x1b[31m" in done.output
    assert "audio: cannot be read" in output.read_text(encoding="utf-8")
    assert server.asked[0]["params"] == {"false_alarm_rate": 0.1, "explain": True}


def test_the_client_needs_nothing_but_requests() -> None:
    program = "import sys, asd.client; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    outside = {"numpy", "mlflow", "torch", "av", "soundfile", "pydantic", "tqdm"}
    assert outside & set(loaded) == set()
