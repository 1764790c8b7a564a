"""A server follows the champion; webhooks are believed only where they are signed."""

import base64
import hashlib
import hmac
import importlib.util
import json
import marshal
import os
import signal
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.entities.webhook import (
    Webhook,
    WebhookAction,
    WebhookEntity,
    WebhookEvent,
    WebhookStatus,
)
from mlflow.webhooks import delivery
from mlflow.webhooks.types import ModelVersionAliasCreatedPayload
from prometheus_client import CollectorRegistry

from asd.errors import AsdError, ServerError, TrackingError
from asd.tracking import follow, webhook
from asd.tracking.follow import Follower, serve_words
from asd.tracking.registry import Holders

SECRET = "一つの秘密"
ALIAS = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)

# Loads a file as MLflow loads the code of a model, and then answers as a server does.
SERVER = """\
import http.server, importlib.util, os, sys

spec = importlib.util.spec_from_file_location("code_model", sys.argv[2])
spec.loader.exec_module(importlib.util.module_from_spec(spec))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[3].encode())

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 1800
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


class Registry:
    """The registry, as far as a follower asks it."""

    def __init__(self, folder: Path) -> None:
        self.champion: str | None = "1"
        self.folder = folder
        self.changed = False

    def holders(self, name: str) -> Holders:
        assert name == "pump"
        return Holders(self.champion, None, None)

    def model_of(self, name: str, version: str) -> str:
        return f"{name}/{version}"

    def check_files(self, model: str) -> Path:
        if self.changed:
            raise TrackingError(f"{model}: its files are not those that were logged")
        return self.folder


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(tmp_path)
    (tmp_path / "serving_model.py").write_text("x = 1\n")
    monkeypatch.setattr(follow, "registry", made)
    monkeypatch.setattr(follow, "check_files", made.check_files)
    return made


class Running:
    """A follower at work in a thread."""

    def __init__(self, folder: Path, server: str = SERVER) -> None:
        self.port = free_port()
        program, first = folder / "server.py", folder / "serving_model.py"
        program.write_text(server, encoding="utf-8")

        def command(uri: str) -> list[str]:
            return [sys.executable, str(program), str(self.port), str(first), uri]

        self.follower = Follower("pump", "127.0.0.1", self.port, command)
        self.error: AsdError | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.follower.run(every_s=600)
        except AsdError as error:
            self.error = error

    def served(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping") as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def figure(self, name: str) -> float:
        return self.follower.figures.get_sample_value(name) or 0.0

    def end(self) -> None:
        self.follower.stop()
        self.thread.join()


@pytest.fixture
def running(registry: Registry, tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.end()


def test_a_server_is_started_anew_with_another_champion(
    registry: Registry, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    wait_for(lambda: running.served() == "models:/pump/1")
    running.follower.look()
    assert running.figure("asd_server_starts_total") == 1
    registry.champion = "2"
    running.follower.wake()
    wait_for(lambda: running.served() == "models:/pump/2")
    assert running.figure("asd_server_up") == 1
    assert running.figure("asd_server_version") == 2

    # One whose files are not its own is not served, and is named once.
    registry.champion, registry.changed = "3", True
    running.follower.look()
    running.follower.look()
    assert running.served() == "models:/pump/2"
    assert caplog.text.count("pump/3: its files are not those that were logged") == 1
    registry.champion, registry.changed = None, False
    running.follower.look()
    assert running.served() == "models:/pump/2"

    # A server that has ended is started again.
    registry.champion = "2"
    process = running.follower._process
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    running.follower.look()
    wait_for(lambda: running.served() == "models:/pump/2")
    running.end()
    assert running.served() == ""


def test_what_never_served_ends_with_one_line(registry: Registry, tmp_path: Path) -> None:
    registry.champion = None
    follower = Follower("pump", "127.0.0.1", free_port())
    with pytest.raises(ServerError, match="pump: has no champion"):
        follower.run(1)
    registry.champion = "1"
    failed = Running(tmp_path, "raise SystemExit(1)")
    failed.thread.join()
    assert "models:/pump/1: no server starts" in str(failed.error)


def test_a_port_that_is_taken_is_one_line(registry: Registry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"127.0.0.1:{port}: cannot be listened on"):
            Follower("pump", "127.0.0.1", port).run(1)


def test_byte_code_beside_a_model_does_not_run(registry: Registry, tmp_path: Path) -> None:
    source, mark = tmp_path / "serving_model.py", tmp_path / "byte code has run"
    stat = source.stat()
    poison = compile(f"open({str(mark)!r}, 'w')", str(source), "exec")
    head = struct.pack("<III", 0, int(stat.st_mtime), stat.st_size)
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir()
    cached.write_bytes(importlib.util.MAGIC_NUMBER + head + marshal.dumps(poison))
    running = Running(tmp_path)
    wait_for(lambda: running.served() == "models:/pump/1")
    running.end()
    assert not mark.exists()
    assert not cached.parent.exists()


def test_the_server_is_mlflows() -> None:
    words = serve_words("models:/pump/1", "0.0.0.0", 5001)
    assert Path(words[0]).is_file()
    assert words[1:] == [
        "models", "serve", "-m", "models:/pump/1", "--env-manager", "local", "-h", "0.0.0.0",
        "-p", "5001",
    ]  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[webhook.Receiver]:
    made = webhook.Receiver(("127.0.0.1", 0), "pump", SECRET, lambda: None, CollectorRegistry())
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def send(receiver: webhook.Receiver, secret: str = SECRET, **told: str) -> int:
    """Let MLflow itself deliver a webhook; the status that it gets."""
    sent = Webhook(
        "1", "pump", f"http://127.0.0.1:{receiver.server_port}/webhook", [ALIAS], 0, 0,
        status=WebhookStatus.ACTIVE, secret=secret,
    )  # fmt: skip
    data = ModelVersionAliasCreatedPayload(
        name=told.get("name", "pump"), alias=told.get("alias", "champion"), version="2"
    )
    with delivery._create_webhook_session() as session:
        return int(delivery._send_webhook_request(sent, data, ALIAS, session).status_code)


def test_webhooks_of_mlflow_are_followed_where_they_are_signed(
    receiver: webhook.Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    told: list[str] = []
    receiver.changed = lambda: told.append("changed")
    assert send(receiver) == 200
    assert told == ["changed"]
    assert send(receiver, alias="challenger") == 200
    assert send(receiver, name="motor") == 200
    assert send(receiver, secret="another") == 403
    assert send(receiver, secret="") == 403
    receiver.secret = ""
    assert send(receiver) == 403
    assert told == ["changed"]
    with urllib.request.urlopen(f"http://127.0.0.1:{receiver.server_port}/metrics") as answer:
        figures = answer.read().decode()
    for outcome, number in (("followed", 1), ("ignored", 2), ("refused", 3)):
        assert f'asd_webhooks_total{{outcome="{outcome}"}} {number}.0' in figures


def signed(body: bytes, stamp: str) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), b"7." + stamp.encode() + b"." + body, hashlib.sha256)
    return {
        "x-mlflow-delivery-id": "7",
        "X-MLflow-Timestamp": stamp,
        "X-MLflow-Signature": f"v1,{base64.b64encode(digest.digest()).decode()}",
    }


def test_a_signature_holds_for_its_body_and_for_five_minutes() -> None:
    body = json.dumps({"entity": "model_version_alias"}).encode()

    def genuine(headers: dict[str, str], content: bytes = body, now: float = 1000.0) -> bool:
        return webhook.is_genuine(SECRET, headers, content, lambda: now)

    assert genuine(signed(body, "1000"))
    assert genuine(signed(body, "1000"), now=1290)
    assert not genuine(signed(body, "1000"), now=1310)
    assert not genuine(signed(body, "1000"), body + b" ")
    assert not genuine(signed(body, "99999999999999999999"))
    assert not genuine(signed(body, "x"))
    assert not genuine({})
    assert not genuine(signed(body, "1000") | {"X-MLflow-Signature": "v1,é"})


@pytest.mark.parametrize("path", ["/", "/webhook"])
@pytest.mark.parametrize("length", ["", "x", "-1", "200000"])
def test_other_requests_are_refused(receiver: webhook.Receiver, path: str, length: str) -> None:
    with socket.create_connection(("127.0.0.1", receiver.server_port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).split()[1] == b"404"


def test_bodies_that_tell_nothing_are_no_news() -> None:
    for body in (b"", b"[]", b"5", b"{}", b"\xff", b'{"entity": "model_version_alias"}'):
        assert not webhook.tells_of_champion(body, "pump")
