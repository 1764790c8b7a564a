"""A real ``mlflow models serve`` beside the same pipeline in process and a bare FastAPI app.

``python -m benchmarks.bench_serving`` writes docs/benchmarks.md; ``--requests 20 --batch_s 60`` for
a quick look, which is printed only.
"""

import argparse
import base64
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import requests
import soundfile
from joblib.externals.loky import get_reusable_executor
from requests.adapters import HTTPAdapter

from asd.arrays import Samples
from asd.audio.decode import read, stream_blocks
from asd.audio.encode import write_wav
from asd.config.steps import ScoreConfig, TrainConfig
from asd.data.opening import demo_source
from asd.pipeline.pipeline import Pipeline
from asd.steps import score, train
from asd.tracking.models import load, resolve
from benchmarks.page import write_section
from benchmarks.quiet import say_little, with_tools
from benchmarks.timing import seconds

RATE = 16000
SECONDS = 10
CLIENTS = (1, 8, 16)
WARM = 4
"""Clients for each worker, so that none is left out of the first requests."""
SHORT_S = 2
REQUESTS = 400
LASTING = 20_000
"""Requests over which the server's memory is watched."""
LOOKS = 10
BATCH_S = 4 * 3600
TURNS = 5
"""Times that a batch is scored."""

BARE = """\
import base64, io, sys

import soundfile, uvicorn
from fastapi import FastAPI, Request

app = FastAPI()

@app.get("/ping")
async def ping():
    return {}

@app.post("/invocations")
async def decode(request: Request):
    body = await request.json()
    content = base64.b64decode(body["dataframe_records"][0]["audio"])
    samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    return {"predictions": [{"duration_s": len(samples)}]}

uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def main() -> None:
    """Measure, print, and write the section where the counts are the full ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--lasting", type=int, default=LASTING)
    parser.add_argument("--batch_s", type=float, default=BATCH_S)
    told = parser.parse_args()
    say_little()
    lines = [
        f"`python -m benchmarks.bench_serving`, {os.cpu_count()} cores, one worker, the default "
        f"recipe on the demo, WAV of {RATE // 1000} kHz, {told.requests} requests a row;",
        f"load of the machine when it began: {os.getloadavg()[0]:.1f}.",
        "",
        "| clients | clip | p50 | to the pipeline in process | to a bare FastAPI app | requests a "
        "second | to the bare app |",
        "|---|---|---|---|---|---|---|",
    ]
    model = resolve(train.run(TrainConfig()).uri)
    lines += _serving(model.uri, load(model), told.requests, told.lasting)
    lines += ["", *_batch(model.uri, told.batch_s)]
    print("\n".join(lines))
    if (told.requests, told.lasting, told.batch_s) == (REQUESTS, LASTING, BATCH_S):
        write_section("serving", "Serving", lines)


def _serving(uri: str, pipeline: Pipeline, count: int, lasting: int) -> Iterator[str]:
    with servers(uri) as (ours, bare, process):
        for clients, length_s in [*((clients, SECONDS) for clients in CLIENTS), (1, SHORT_S)]:
            content = _wav(length_s)
            alone = _alone(pipeline, content, max(5, count // 10))
            p50, speed = asked(ours, content, clients, count)
            bare_p50, bare_speed = asked(bare, content, clients, count)
            yield (
                f"| {clients} | {length_s} s | {1000 * p50:.1f} ms | {p50 / alone:.2f} | "
                f"{p50 / bare_p50:.2f} | {speed:.1f} | {speed / bare_speed:.2f} |"
            )
        yield ""
        yield _memory(ours, process, _wav(SECONDS), lasting)


def _alone(pipeline: Pipeline, content: bytes, count: int) -> float:
    pipeline.judge(content)
    return median(seconds(lambda: pipeline.judge(content)) for _ in range(count))


def _memory(url: str, process: int, content: bytes, lasting: int) -> str:
    """Memory of the server after each part of many requests."""
    held = [_megabytes(process)]
    for _ in range(LOOKS):
        asked(url, content, max(CLIENTS), lasting // LOOKS)
        held.append(_megabytes(process))
    return (
        f"Memory of the server, {max(CLIENTS)} clients: {held[0]:.0f} MB at first, then after "
        f"each {lasting // LOOKS:,} of {lasting:,} requests "
        f"{', '.join(f'{megabytes:.0f}' for megabytes in held[1:])} MB."
    )


@contextmanager
def servers(uri: str, workers: int = 1) -> Iterator[tuple[str, str, int]]:
    """Addresses of a server of a model and of a bare app, both warm, and the first one's process.

    Parameters
    ----------
    uri : str
        The model.
    workers : int
        Processes that answer for the model.
    """
    mlflow = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", uri]
    mlflow += ["--workers", str(workers)]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bare.py"
        program.write_text(BARE, encoding="utf-8")
        with (
            _server([*mlflow, "--env-manager", "local", "-p"]) as (ours, process),
            _server([sys.executable, str(program)]) as (bare, _),
        ):
            for url in (ours, bare):
                asked(url, _wav(), WARM * workers, 5 * WARM * workers)
            yield ours, bare, process


def asked(url: str, content: bytes, clients: int, count: int) -> tuple[float, float]:
    """Median seconds of a request, and requests a second.

    Parameters
    ----------
    url : str
        Of a server.
    content : bytes
        The recording that each request holds.
    clients : int
        Requests at once.
    count : int
        Requests in all.
    """
    body = json.dumps({"dataframe_records": [{"audio": base64.b64encode(content).decode()}]})
    session = requests.Session()
    # With fewer, some clients would open a connection for each request.
    session.mount("http://", HTTPAdapter(pool_maxsize=clients))

    def one(_: int) -> float:
        headers = {"Content-Type": "application/json"}
        return seconds(lambda: session.post(f"{url}/invocations", body, headers=headers))

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(one, range(count)))
    return median(times), count / (time.perf_counter() - started)


def score_speed(uri: str, length_s: float, sound: Samples) -> float:
    """How many times real time `score` is, on four WAV files of so many seconds together.

    Parameters
    ----------
    uri : str
        The model.
    length_s : float
        Length of all files.
    sound : ndarray, shape (n_samples,)
        What they hold, again and again.
    """
    with _night(length_s, sound) as folder:
        return length_s / _scored(uri, folder)


def healthy() -> Samples:
    """Ten minutes of the demo's plant running well."""
    files = sorted((demo_source() / "recordings").glob("healthy_*"))[:10]
    return np.concatenate([read(file, RATE)[0] for file in files])


def noise() -> Samples:
    """A minute of noise, which is an alarm."""
    return np.float32(0.1) * np.random.default_rng(0).standard_normal(60 * RATE, np.float32)


def _batch(uri: str, length_s: float) -> Iterator[str]:
    """Hours of sound a minute, of `score` and of decoding alone."""
    for what, sound in (("running well", healthy()), ("an alarm in every recording", noise())):
        with _night(length_s, sound) as folder:
            taken = _scored(uri, folder)
            decoding = min(seconds(partial(_decode, folder)) for _ in range(TURNS))
        yield (
            f"`score`, {what}: {length_s / 60 / taken:.2f} hours of sound a minute, "
            f"{taken / decoding:.1f} times as long as decoding alone in one process."
        )


def _decode(folder: Path) -> None:
    for path in folder.iterdir():
        for _ in stream_blocks(path, RATE):
            pass


@contextmanager
def _night(length_s: float, sound: Samples) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "night"
        for number in range(4):
            part = np.roll(sound, -number * len(sound) // 4)
            write_wav(folder / f"{number}.wav", np.resize(part, round(RATE * length_s / 4)), RATE)
        yield folder


def _scored(uri: str, folder: Path) -> float:
    """Seconds of the least disturbed of several turns, each of which starts its processes."""

    def scored(turn: int) -> float:
        get_reusable_executor().shutdown(wait=True)
        told = {"source": str(folder), "model_uri": uri, "output": str(folder.parent / f"{turn}")}
        return seconds(lambda: score.run(ScoreConfig.parse(told)))

    return min(map(scored, range(TURNS)))


def _wav(length_s: int = SECONDS) -> bytes:
    file = io.BytesIO()
    time_s = np.arange(length_s * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    soundfile.write(file, 0.2 * np.sin(600 * time_s) + 0.02 * noise, RATE, format="WAV")
    return file.getvalue()


@contextmanager
def _server(words: list[str]) -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*words, str(port)], env=with_tools(), start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        while not _answers(url):
            if process.poll() is not None:
                raise RuntimeError(f"{words[0]} has ended")
            time.sleep(0.2)
        yield url, process.pid
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=5).ok
    except requests.RequestException:
        return False


def _megabytes(group: int) -> float:
    """Memory in use by the processes of a group, of Linux; 0 elsewhere."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == group:
                lines = status.read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        except (OSError, ProcessLookupError):
            continue
    return total / 1000


if __name__ == "__main__":
    main()
