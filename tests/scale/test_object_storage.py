"""Recordings, data sets, features and scores in a bucket: the server of moto on loopback."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import soundfile

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: asd-platform[scale]")
pytest.importorskip("moto", reason="moto is not installed: asd-platform[scale-test]")
botocore = pytest.importorskip("botocore.exceptions")

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
RATE = 8000
SECRET = "nobody-may-ever-read-this"
SMALL = ("--features.n_fft", "512", "--features.hop_length", "512")
CLIPS = ("--clip_seconds", "1", "--sample_rate", str(RATE))


@pytest.fixture
def bucket(
    free_port: Callable[[], int],
    program: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """An empty bucket ``plant`` and the file system that shows it."""
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (tmp_path / "moto").mkdir()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with program(command, tmp_path / "moto", {}):
        store = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                store.mkdir("plant")
                break
            except (OSError, botocore.BotoCoreError):
                assert time.monotonic() < deadline, "moto does not answer"
                time.sleep(0.5)
        yield store


@pytest.fixture
def recordings(bucket: Any, tmp_path: Path) -> str:
    """The URL of recordings of a humming machine, two of them with a knock."""
    rng = np.random.default_rng(0)
    t = np.arange(8 * RATE) / RATE
    for label, count in (("normal", 8), ("abnormal", 2)):
        (tmp_path / "fan" / label).mkdir(parents=True)
        for index in range(count):
            samples = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
            if label == "abnormal":
                samples += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
            soundfile.write(tmp_path / "fan" / label / f"{label}-{index}.wav", samples, RATE)
    bucket.put(str(tmp_path / "fan"), "plant/recordings/fan", recursive=True)
    return "s3://plant/recordings/fan"


@pytest.fixture
def step(program: Callable[..., Any], bucket: Any) -> Callable[..., str]:
    """Run a step in a folder, with features in the bucket, and give what it says."""

    def run(folder: Path, name: str, *words: str, code: int = 0) -> str:
        folder.mkdir(exist_ok=True)
        environment = {"PYTHONPATH": str(PROJECT), "ASD_CACHE_DIR": "s3://plant/features"}
        command = [sys.executable, "-m", f"entrypoints.{name}", *words]
        with program(command, folder, environment) as process:
            ended = process.wait(PATIENCE_S)
        said = (folder / "log").read_text()
        assert ended == code, said
        return said

    return run


def test_from_recordings_in_a_bucket_to_a_champion(
    recordings: str,
    bucket: Any,
    step: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    step(one, "main", "--source", recordings, "--models", "knn", *CLIPS, *SMALL)
    monkeypatch.chdir(one)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{one}/mlflow.db")
    champion = mlflow.MlflowClient().get_model_version_by_alias("fan", "champion")
    assert str(champion.version) == "1"
    features = bucket.find("plant/features")
    assert features

    scores = "s3://plant/scores/fan"
    step(one, "score", "--source", recordings, "--output", scores)
    assert bucket.cat("plant/scores/fan/files.csv").decode().count("\n") == 11
    assert not bucket.exists("plant/scores/fan/.asd-uploading")

    # Another machine: the data set comes from the bucket, and so do its features.
    step(other, "preprocess", "--source", recordings, "--output", "s3://plant/data/fan", *CLIPS)
    before = {path: bucket.info(path)["LastModified"] for path in bucket.find("plant/features")}
    step(other, "train", "--data", "s3://plant/data/fan", "--model", "knn", *SMALL)
    after = {path: bucket.info(path)["LastModified"] for path in bucket.find("plant/features")}
    assert before.items() <= after.items()

    # What is on its way is no data set.
    bucket.pipe_file("plant/data/fan/.asd-uploading", b"")
    said = step(other, "train", "--data", "s3://plant/data/fan", "--model", "knn", code=2)
    assert "error: s3://plant/data/fan: is not whole" in said

    for path in [*one.rglob("*"), *other.rglob("*")]:
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_a_bucket_that_is_not_there_is_one_line(step: Callable[..., str], tmp_path: Path) -> None:
    said = step(tmp_path / "one", "preprocess", "--source", "s3://nowhere/x", code=2)
    [line] = [line for line in said.splitlines() if "error" in line]
    assert line.startswith("error: s3://nowhere/x: ")
    assert SECRET not in said
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
