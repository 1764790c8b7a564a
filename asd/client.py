"""Ask a server of a model, from any machine: needs ``requests`` and the standard library only."""

import base64
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asd.errors import ServerError
from asd.language import tr

if TYPE_CHECKING:
    import requests

URL = "http://127.0.0.1:5001"
"""Where ``mlflow models serve -p 5001`` answers."""
_BUSY = (429, 502, 503, 504)

Answer = dict[str, Any]
"""The judgement of a recording: ``anomaly_score``, ``is_anomaly`` and the others; the reason in
``error`` where there is none."""


class Client:
    """Asks a server for judgements.

    Parameters
    ----------
    url : str
        The server, without ``/invocations``.
    timeout_s : float
        Seconds to wait for an answer.
    patience_s : float
        Seconds for which a server that cannot be reached, as while it starts, is asked again.

    Examples
    --------
    >>> client = Client("http://127.0.0.1:5001")
    >>> client.judge("pump.wav", explain=True)  # doctest: +SKIP
    {'anomaly_score': 1.9, 'is_anomaly': True, ...}
    """

    def __init__(self, url: str = URL, timeout_s: float = 120.0, patience_s: float = 0.0) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    def judge(self, recording: Path | str | bytes, machine: str = "", **params: object) -> Answer:
        """Judge a recording of any length, in any audio or video container.

        Parameters
        ----------
        recording : Path, str or bytes
            The file, or its content.
        machine : str, optional
            Machine that it is of; the threshold of all machines where not given.
        **params
            ``false_alarm_rate`` or ``threshold`` to judge by, ``explain`` and ``windows``.

        Raises
        ------
        ServerError
            The server cannot be reached, or refuses the request as a whole.
        OSError
            The file cannot be read.
        """
        content = recording if isinstance(recording, bytes) else Path(recording).read_bytes()
        row = {"audio": base64.b64encode(content).decode()}
        if machine:
            row["machine"] = machine
        body: dict[str, Any] = {"dataframe_records": [row]}
        if params:
            body["params"] = params
        [answer] = self._ask(body)
        return answer

    def judge_all(
        self, paths: Sequence[Path], at_once: int = 4, machine: str = "", **params: object
    ) -> Iterator[Answer]:
        """Judge recordings, a request each; answers come in the order of the paths.

        A file that cannot be read has the reason in ``error``, as one that cannot be judged.

        Parameters
        ----------
        paths : sequence of Path
            The recordings.
        at_once : int
            Requests that are under way at a time.
        machine, **params
            As of `judge`.

        Raises
        ------
        ServerError
            The server cannot be reached, or refuses a request as a whole.
        """

        def one(path: Path) -> Answer:
            try:
                return self.judge(path, machine, **params)
            except OSError as error:
                reason = error.strerror or error
                return {"error": tr("cannot be read ({reason})", reason=reason)}

        with ThreadPoolExecutor(at_once) as pool:
            try:
                yield from pool.map(one, paths)
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(self, body: dict[str, Any]) -> list[Answer]:
        response = self._post(body)
        try:
            told = response.json()
            if response.ok:
                return list(told["predictions"])
            reason = f"HTTP {response.status_code}: {told['message']}"
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                tr(
                    "{url}: answers, but not as a server of a model (HTTP {status}); check url",
                    url=self.url,
                    status=response.status_code,
                )
            ) from error
        raise ServerError(tr("{url}: refuses the request ({reason})", url=self.url, reason=reason))

    def _post(self, body: dict[str, Any]) -> "requests.Response":
        import requests

        until = time.monotonic() + self._patience_s
        while True:
            try:
                address = f"{self.url}/invocations"
                response = requests.post(address, json=body, timeout=self._timeout_s)
                if response.status_code not in _BUSY or time.monotonic() > until:
                    return response
            except requests.ReadTimeout as error:
                raise ServerError(
                    tr(
                        "{url}: no answer within {seconds:g} s; give timeout_s a greater value, or "
                        "send shorter recordings",
                        url=self.url,
                        seconds=self._timeout_s,
                    )
                ) from error
            except (requests.RequestException, UnicodeError) as error:
                if not isinstance(error, requests.ConnectionError) or time.monotonic() > until:
                    raise ServerError(
                        tr(
                            "{url}: cannot be asked ({kind}); start a server with "
                            "`mlflow models serve`, or check url",
                            url=self.url,
                            kind=type(error).__name__,
                        )
                    ) from error
            time.sleep(0.5)
