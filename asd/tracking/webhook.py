"""A receiver of MLflow's webhooks, which tells a server that its champion has changed."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlflow.webhooks.constants import (
    WEBHOOK_DELIVERY_ID_HEADER,
    WEBHOOK_SIGNATURE_HEADER,
    WEBHOOK_SIGNATURE_VERSION,
    WEBHOOK_TIMESTAMP_HEADER,
)
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest

from asd.tracking.registry import CHAMPION

logger = logging.getLogger(__name__)

SECRET = "ASD_WEBHOOK_SECRET"  # nosec B105 # the name of a variable
"""Environment variable with the secret that the webhook was created with."""
_HEADERS = (WEBHOOK_DELIVERY_ID_HEADER, WEBHOOK_TIMESTAMP_HEADER, WEBHOOK_SIGNATURE_HEADER)
_LARGEST = 100_000
_OLDEST_S = 300.0
_EVENT = ("model_version_alias", "created")


def is_genuine(
    secret: str, headers: Mapping[str, str], body: bytes, now: Callable[[], float] = time.time
) -> bool:
    """Whether a request was signed with the secret, and not long ago.

    Parameters
    ----------
    secret : str
        Shared with the tracking server; nothing is genuine where it is empty.
    headers : mapping
        Of the request.
    body : bytes
        Of the request, as it was sent.
    now : callable
        The time in seconds since 1970.
    """
    given = {name.lower(): value for name, value in headers.items()}
    delivery, stamp, signature = (given.get(name.lower(), "") for name in _HEADERS)
    if not (secret and stamp.isdecimal() and abs(now() - int(stamp)) <= _OLDEST_S):
        return False
    signed = f"{delivery}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    expected = f"{WEBHOOK_SIGNATURE_VERSION},{base64.b64encode(digest).decode()}"
    return hmac.compare_digest(expected.encode(), signature.encode())


def tells_of_champion(body: bytes, name: str) -> bool:
    """Whether the body of a webhook says that a machine has another champion."""
    try:
        told = json.loads(body)
        data = told["data"]
        event = (told["entity"], told["action"])
        return bool(event == _EVENT and (data["name"], data["alias"]) == (name, CHAMPION))
    except (ValueError, TypeError, KeyError):
        return False


class Receiver(ThreadingHTTPServer):
    """Answers ``POST /webhook`` and ``GET /metrics``.

    Parameters
    ----------
    address : tuple of (str, int)
        Host and port to listen on.
    name : str
        The machine whose champion counts.
    secret : str
        Of the webhook; without it no webhook is believed.
    changed : callable
        Called when there is another champion.
    figures : CollectorRegistry
        What ``/metrics`` tells, for Prometheus.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        name: str,
        secret: str,
        changed: Callable[[], None],
        figures: CollectorRegistry,
    ) -> None:
        super().__init__(address, _Handler)
        self.name, self.secret, self.changed, self.figures = name, secret, changed, figures
        self.webhooks = Counter(
            "asd_webhooks", "Webhooks by what became of them.", ["outcome"], registry=figures
        )


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = 10.0

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/webhook" or not length.isdecimal() or int(length) > _LARGEST:
            self._answer(404, "POST /webhook takes webhooks of MLflow")
            return
        body = self.rfile.read(int(length))
        if not is_genuine(self.server.secret, dict(self.headers), body):
            self.server.webhooks.labels("refused").inc()
            logger.warning("a webhook was refused: not signed with the secret of %s", SECRET)
            self._answer(403, "not signed with the secret")
            return
        follows = tells_of_champion(body, self.server.name)
        self.server.webhooks.labels("followed" if follows else "ignored").inc()
        if follows:
            self.server.changed()
        self._answer(200, "followed" if follows else "not about this champion")

    def do_GET(self) -> None:
        if self.path == "/metrics":
            told = generate_latest(self.server.figures).decode()
            self._answer(200, told, CONTENT_TYPE_LATEST)
        else:
            self._answer(404, "GET /metrics tells figures")

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request: what matters is counted and logged."""
