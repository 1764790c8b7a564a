"""A table of recordings judged by Spark on this machine, beside `score`: to docs/scale.md.

``python -m benchmarks.bench_spark``, with ``pip install -e '.[spark]'`` and Java.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd

from asd.config.steps import ScoreConfig, TrainConfig
from asd.steps import score, train
from benchmarks.bench_scale import record
from benchmarks.page import PROJECT, write_section
from benchmarks.quiet import say_little
from benchmarks.timing import seconds

CLIPS = 1000
CLIP_S = 10
LOOK_S = 0.2
VERDICT = "anomaly_score double, p_value double, is_anomaly boolean, error string"


def main() -> None:
    """Judge with Spark and with `score`, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS)
    clips = parser.parse_args().clips
    say_little()
    model = train.run(TrainConfig())
    with tempfile.TemporaryDirectory(prefix="asd-spark-") as name:
        folder = Path(name)
        record(folder / "recordings", clips, clips_a_recording=1)
        told = {"source": str(folder / "recordings"), "model_uri": model.uri}
        config = ScoreConfig.parse(told | {"output": str(folder / "out")})
        alone_s = seconds(lambda: score.run(config))
        with _memory_of_workers() as held:
            first_s, judged_s = _judge(model.uri, folder)
        both = _side_by_side(folder)
    apart = (both.anomaly_score_x - both.anomaly_score_y).abs().max()
    equal = (both.is_anomaly_x == both.is_anomaly_y).mean()
    line = (
        f"`python -m benchmarks.bench_spark`: {len(both)} of {clips} recordings of {CLIP_S} s on "
        f"{os.cpu_count()} cores: "
        f"{clips / judged_s:.1f} rows a second by Spark in {judged_s:.1f} s (the first pass, with "
        f"the start of the workers, {first_s:.1f} s), `score` {alone_s:.1f} s with its report; "
        f"scores differ by {apart:.1g} at most, {100 * equal:.1f} % of the verdicts are equal; "
        f"a worker holds {max(held, default=0):.0f} MB at most."
    )
    print(line)
    if clips == CLIPS:
        write_section("spark", "Spark", [line], PROJECT / "docs" / "scale.md")


def _judge(uri: str, folder: Path) -> tuple[float, float]:
    """Seconds of a first pass over the table, and of a second one."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    spark = SparkSession.builder.master("local[*]").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        files = spark.read.format("binaryFile").option("recursiveFileLookup", True)
        table = files.load(str(folder / "recordings")).repartition(os.cpu_count() or 1)
        judge = mlflow.pyfunc.spark_udf(spark, uri, result_type=VERDICT, env_manager="local")
        judged = table.withColumn("verdict", judge(f.struct(f.base64("content").alias("audio"))))
        write = judged.select("path", "verdict.*").write.mode("overwrite")
        first_s, again_s = (
            seconds(lambda: write.parquet(str(folder / "scores"))) for _ in range(2)
        )
        return first_s, again_s
    finally:
        spark.stop()


def _side_by_side(folder: Path) -> pd.DataFrame:
    """What Spark (x) and `score` (y) say of each recording."""
    one, other = pd.read_parquet(folder / "scores"), pd.read_csv(folder / "out" / "files.csv")
    one["name"], other["name"] = one.path.map(_name), other.file.map(_name)
    return one.merge(other, on="name", validate="one_to_one")


def _name(path: str) -> str:
    return Path(path).name


@contextmanager
def _memory_of_workers() -> Iterator[list[float]]:
    """MB that a Python worker of Spark holds at most, looked at again and again; of Linux."""
    over, held = threading.Event(), list[float]()

    def watch() -> None:
        while not over.wait(LOOK_S):
            held.extend(_workers())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield held
    finally:
        over.set()
        watcher.join()


def _workers() -> Iterator[float]:
    page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"pyspark" in (process / "cmdline").read_bytes():
                resident = (process / "statm").read_text().split()[1]
                yield int(resident) * page_mb
        except OSError:  # it has ended
            continue


if __name__ == "__main__":
    main()
