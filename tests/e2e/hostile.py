"""Requests that no friend sends, and what every answer to them has to be."""

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from hypothesis import strategies as st

CANARY = "CaNaRyQ7x"
JSON = "application/json"

Body = tuple[bytes | str, str | None]
Answer = tuple[int, str]


class Connection:
    """A connection to a server that is kept open, as long as the server does."""

    def __init__(self, address: str) -> None:
        url = urlparse(address)
        self._http = http.client.HTTPConnection(url.hostname or "", url.port, timeout=600)

    def post(self, body: bytes | str, content_type: str | None = JSON) -> Answer:
        headers = {} if content_type is None else {"Content-Type": content_type}
        content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        try:
            self._http.request("POST", "/invocations", content, headers)
            answer = self._http.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            # The server ends connections that were idle for some seconds.
            self._http.close()
            self._http.request("POST", "/invocations", content, headers)
            answer = self._http.getresponse()
        return answer.status, answer.read().decode()

    def close(self) -> None:
        self._http.close()

    def rows(self, *cells: object, **others: Any) -> list[dict[str, Any]]:
        """The answers to cells of the column `audio`; other keys stand beside the rows."""
        records = [{"audio": cell} for cell in cells]
        status, text = self.post(json.dumps({"dataframe_records": records, **others}))
        check(status, text)
        assert status == 200, text
        return list(json.loads(text)["predictions"])


def check(status: int, text: str) -> None:
    """An answer is JSON and no accident; it holds no trace, no path and nothing that was sent."""

    def no_constant(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert status in (200, 400, 415), (status, text[:500])
    answer = json.loads(text, parse_constant=no_constant)
    assert isinstance(answer, dict)
    assert ("predictions" in answer) == (status == 200)
    for word in ("Traceback", "site-packages", 'File \\"', "/tmp/", CANARY):
        assert word not in text, text[:2000]


def bodies(good: str) -> Iterator[Body]:
    """Bodies that are no rows, or rows of a wrong shape, or of a wrong type."""
    for text in (
        "", " ", "{", "[]", "null", "123", f'"{CANARY}"', "true", "{}", f'{{"foo": "{CANARY}"}}',
        '{"dataframe_records":', '{"dataframe_records": NaN}', '{"inputs": Infinity}', "\ufeff{}",
        "{'a': 1}", '{"a": 1e999}', '{"inputs":' + "9" * 5000 + "}", "\x00", "[" * 100_000,
        '{"a":' * 50_000, '{"inputs":' + "[" * 5000 + "]" * 5000 + "}",
        '{"dataframe_records":[{"audio":' + "[" * 800 + "]" * 800 + "}]}",
        b'{"dataframe_records":[{"audio":"\xff\xfe"}]}',
        f'{{"inputs": "{CANARY}"}}'.encode("utf-16"),
    ):  # fmt: skip
        yield text, JSON
    row = {"audio": good}
    shapes: tuple[Any, ...] = (
        {"dataframe_records": []}, {"dataframe_records": {}}, {"dataframe_records": [CANARY]},
        {"dataframe_records": [[good]]}, {"dataframe_records": [{}]}, {"dataframe_records": None},
        {"dataframe_records": [{"Audio": good}]}, {"dataframe_records": [row, {"extra": CANARY}]},
        {"dataframe_records": [row, None]}, {"dataframe_records": [row], "dataframe_split": {}},
        {"dataframe_records": [{"audio": 5}]}, {"dataframe_records": [{"audio": {"b64": good}}]},
        {"dataframe_records": [{"audio": good, "machine": 5}]},
        {"dataframe_records": [{"audio": good, "machine": [CANARY]}]},
        {"dataframe_records": [{"audio": good, "id": {"a": CANARY}}]},
        {"dataframe_split": {}}, {"dataframe_split": {"columns": ["audio"]}},
        {"dataframe_split": {"data": [[good]]}}, {"dataframe_split": [good]},
        {"dataframe_split": {"columns": ["audio", "audio"], "data": [[good, good]]}},
        {"dataframe_split": {"columns": ["audio"], "data": [[good, CANARY]]}},
        {"dataframe_split": {"columns": "audio", "data": [[good]]}},
        {"dataframe_split": {"columns": ["audio"], "index": [5, 5], "data": [[good], [good]]}},
        {"inputs": {"audio": [[good]]}}, {"inputs": {"audio": []}}, {"inputs": {}}, {"inputs": []},
        {"inputs": {"audio": [good], "machine": [1, 2]}}, {"inputs": None}, {"inputs": 3},
        {"inputs": {"audio": {"0": good}}}, {"instances": []}, {"instances": {}},
        {"instances": [{}]}, {"instances": [{"b64": CANARY}]}, {"instances": [row, {"x": 1}]},
        {"instances": [[[[good]]]]}, {"messages": [{"role": "user", "content": CANARY}]},
        {"input": CANARY}, {"query": CANARY}, {"dataframe_records": [row], "inputs": row},
    )  # fmt: skip
    wishes: tuple[Any, ...] = (
        5, [], CANARY, {CANARY: 1}, {"threshold": CANARY}, {"threshold": [1]}, {"explain": 1},
        {"windows": CANARY}, {"false_alarm_rate": 2}, {"false_alarm_rate": -1},
        {"false_alarm_rate": float("nan")}, {"threshold": float("inf")}, {"threshold": 10**400},
        {"false_alarm_rate": 0.5, "threshold": 1}, {"false_alarm_rate": 1e-9}, {"explain": {}},
    )  # fmt: skip
    asked = [{"dataframe_records": [row], "params": params} for params in wishes]
    for shape in (*shapes, *asked):
        yield json.dumps(shape), JSON
    rows = json.dumps({"dataframe_records": [row]})
    for kind in (
        None, "", "text/plain", "application/octet-stream", "application/json; format=x",
        "a" * 5000, f"image/{CANARY}", "application/json;;;;", "application/json; charset=utf-16",
        f"application/json; charset={CANARY}", "multipart/form-data; boundary=x",
    ):  # fmt: skip
        yield rows, kind
    for table in (
        "",
        "audio\n",
        "audio\n123\n",
        f'audio\n"{CANARY}\n',
        "audio\n\0\0\n",
        b"\xff" * 99,
    ):
        yield table, "text/csv"
    for junk in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", CANARY.encode()):
        yield junk, "application/vnd.apache.parquet"


def cells() -> Iterator[object]:
    """What is no recording; a column with others in it may hold anything."""
    yield from (None, 1, 1.5, True, [], {}, [CANARY], {"b64": CANARY}, float("nan"))
    yield from (
        "", " ", "\n", "=", "====", "A", "AA", "AAA", "AAAA", "%%%" + CANARY, "\x00", "ü" * 10,
        "音声", "\U0001f600" * 100, "\ud800", f"/etc/{CANARY}", "../../etc/passwd", "/etc/passwd",
        "file:///etc/passwd", "http://127.0.0.1:9/x.wav", f"s3://{CANARY}/x", "data:", "data:,",
        f"data:audio/wav,{CANARY}", f"<script>{CANARY}</script>", "\x1b[31m" + CANARY,
        "A" * 100_001,
    )  # fmt: skip
    for text in (
        "#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        f"\x7fELF{CANARY}", "PK\x03\x04" + "\0" * 100, f"cos\nsystem\n(S'touch {CANARY}'\ntR.",
        f"RIFF\xff\xff\xff\x7fWAVE{CANARY}", "RIFF" + "\0" * 4 + "WAVEfmt ", "fLaC" + "\0" * 60,
        "OggS",
    ):  # fmt: skip
        yield base64.b64encode(text.encode("latin-1")).decode()


def broken(content: bytes) -> st.SearchStrategy[str]:
    """Strategy: cells that are nearly a recording, some bytes of it changed, lost or doubled."""
    places = st.integers(0, len(content) - 1)
    heads = st.integers(0, 60)
    change = st.tuples(places | heads, st.binary(min_size=0, max_size=4), st.integers(0, 200))

    def apply(changes: list[tuple[int, bytes, int]]) -> str:
        data = bytearray(content)
        for at, put, lost in changes:
            data[at : at + lost] = put
        return base64.b64encode(data).decode()

    return st.lists(change, min_size=1, max_size=4).map(apply) | st.text(max_size=40)


def structures() -> st.SearchStrategy[object]:
    """Strategy: JSON of any shape below the words that MLflow knows."""
    words = st.sampled_from(
        ["dataframe_records", "dataframe_split", "inputs", "instances", "params", "audio",
         "columns", "data", "index", "machine", "id", "messages", CANARY]
    )  # fmt: skip
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    inner = st.recursive(
        leaves,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(words, inner, max_size=3)
