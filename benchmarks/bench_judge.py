"""One clip judged, in process and by a real server, beside the least that it takes."""

import io
import os
from collections.abc import Iterator

import librosa
import numpy as np
import soundfile
import torch

from asd.arrays import Spectrogram, Vector
from asd.config import LogMelConfig
from asd.config.steps import TrainConfig
from asd.features.logmel import LogMel
from asd.pipeline.pipeline import Pipeline
from asd.steps import train
from asd.tracking.models import load, resolve
from benchmarks.bench_serving import RATE, SECONDS, asked, healthy, noise, score_speed, servers
from benchmarks.limits import FRAMES, N_FFT
from benchmarks.page import Row
from benchmarks.timing import interleaved, ratio, turns

REQUESTS, ROUNDS = 40, 7
"""Of each kind in each turn, and turns."""
CLIENTS = 16
HOUR = 3600


def rows() -> Iterator[Row]:
    """Features, a judgement, requests, and a batch."""
    yield _log_mel()
    model = resolve(train.run(TrainConfig()).uri)
    pipeline, content = load(model), _flac()
    yield "judge of one 10 s FLAC clip", _judge(pipeline, content)
    yield from _served(model.uri, pipeline, content)
    for what, sound in (("running well", healthy()), ("all of it alarms", noise())):
        speed = score_speed(model.uri, HOUR, sound)
        yield f"`score` of an hour of WAV, {what}", f"{speed:.0f} times real time (aim 1000)"


def _log_mel() -> Row:
    """Of a clip, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = LogMelConfig()
    clip = np.random.default_rng(0).standard_normal(SECONDS * RATE).astype(np.float32) * 0.1
    ours = LogMel(config)
    frames = torch.rand(FRAMES, N_FFT, dtype=torch.float64)
    slow, fast, bare = turns(
        lambda: _librosa(clip, config),
        lambda: ours(clip),
        lambda: torch.fft.rfft(frames),
    )
    torch.set_num_threads(threads)
    told = f"{1000 * np.median(fast):.2f} ms, {ratio(slow, fast):.1f} times librosa"
    told += f"; {ratio(bare, fast):.0%} of the limit"
    return "log-mel of a 10 s clip, 1 thread", f"{told}, the bare FFT"


def _librosa(clip: Spectrogram, config: LogMelConfig) -> None:
    power = librosa.feature.melspectrogram(
        y=clip, sr=RATE, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
    )
    librosa.power_to_db(power, ref=1.0)


def _judge(pipeline: Pipeline, content: bytes) -> str:
    """A judgement beside the parts that it cannot do without."""
    samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    scorer = pipeline.scorer
    front_ends = list({front_end.key: front_end for front_end in scorer.front_ends}.values())
    whole, decode, hear, both = turns(
        lambda: pipeline.judge(content),
        lambda: soundfile.read(io.BytesIO(content), dtype="float32"),
        lambda: [front_end(samples) for front_end in front_ends],
        # Clip sets remember: what was heard before would be scored in no time.
        lambda: scorer.score_samples([samples]),
    )
    parts = decode + both
    each = " + ".join(f"{1000 * np.median(part):.1f}" for part in (decode, hear, both - hear))
    told = f"{1000 * np.median(whole):.1f} ms, {ratio(whole, parts):.2f} times its parts"
    return f"{told}, {each} ms (libsndfile, log-mel, score; aim 1.5)"


def _served(uri: str, pipeline: Pipeline, content: bytes) -> Iterator[Row]:
    """Requests, those of one client in turn with judging and a bare app, and with many clients."""
    with servers(uri) as (ours, bare, _):
        rows = [
            (
                *asked(ours, content, 1, REQUESTS),
                asked(bare, content, 1, REQUESTS)[0],
                interleaved(lambda: pipeline.judge(content), rounds=1, repeats=REQUESTS)[0],
                asked(ours, content, CLIENTS, 2 * REQUESTS)[1],
            )
            for _ in range(ROUNDS)
        ]
    p50, speed, least, alone, many = np.array(rows).T
    told = f"p50 {1000 * np.median(p50):.1f} ms, {ratio(p50, alone + least):.2f} times judge"
    told += f" and a bare FastAPI app of {1000 * np.median(least):.1f} ms (aim 1.5)"
    yield "a request of that clip, 1 client", told
    yield f"the same, {CLIENTS} clients", f"{_many(many, speed)} (aim 1.6)"
    workers = os.cpu_count() or 1
    with servers(uri, workers) as (ours, _, _):
        speeds = [
            [asked(ours, content, clients, 2 * REQUESTS)[1] for clients in (CLIENTS, 1)]
            for _ in range(ROUNDS)
        ]
    yield f"the same, a worker for each of {workers} cores", _many(*np.array(speeds).T)


def _many(speed: Vector, alone: Vector) -> str:
    told = f"{np.median(speed):.0f} requests a second"
    return f"{told}, {ratio(speed, alone):.2f} times those of 1 client"


def _flac() -> bytes:
    file = io.BytesIO()
    time_s = np.arange(SECONDS * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    sound = 0.2 * np.sin(600 * time_s) + 0.02 * noise
    soundfile.write(file, sound, RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
