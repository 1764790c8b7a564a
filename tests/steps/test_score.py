"""`score` over a folder: goes on where it was ended, tables in both formats, sound and pictures."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from asd.audio.decode import read
from asd.config.steps import PreprocessConfig, ScoreConfig, TrainConfig
from asd.errors import DataError
from asd.steps import preprocess, score, train
from tests.steps.conftest import RATE, all_runs, hum


def long_recording(path: Path, seed: int, knocks: tuple[int, int]) -> None:
    """Thirty seconds of a hum, with knocks between two of them."""
    rng = np.random.default_rng(seed)
    parts = [hum(rng, 1, knock=knocks[0] <= second < knocks[1]) for second in range(30)]
    soundfile.write(path, np.concatenate(parts), RATE)


def report() -> str:
    run = all_runs()[0]
    folder = Path(str(run.info.artifact_uri).removeprefix("file://"))
    return (folder / "report.txt").read_text(encoding="utf-8")


def test_score_goes_on_where_it_was_and_writes_what_people_look_at(
    recordings: Path, workspace: Path
) -> None:
    cut = {"source": str(recordings), "output": "data/hum", "clip_seconds": 1, "sample_rate": RATE}
    preprocess.run(PreprocessConfig.parse(cut))
    wish = {"model": "knn", "data": "data/hum", "threshold": {"false_alarm_rate": 0.3}}
    model = train.run(TrainConfig.parse(wish))
    night = workspace / "夜"
    (night / "ポンプ").mkdir(parents=True)
    long_recording(night / "ポンプ" / "一.wav", 7, (10, 14))
    (night / "broken.wav").write_bytes(b"no sound")
    told = {"source": "夜", "model_uri": model.uri, "output": "out"}

    # A recording that cannot be used ends the command; what was judged is not lost.
    with pytest.raises(DataError, match="1 of 2 recordings cannot be used"):
        score.run(ScoreConfig.parse(told))
    (night / "broken.wav").unlink()
    long_recording(night / "two.wav", 8, (0, 0))
    first = score.run(ScoreConfig.parse(told))
    assert "judged before: 1, taken from out/.judged" in report()
    shutil.copy(night / "two.wav", night / "copy of two.wav")
    again = score.run(ScoreConfig.parse(told | {"format": "both"}))
    assert "judged before: 3" in report()
    assert {path: again[path] for path in first} == first
    assert again[Path("夜/copy of two.wav")] == again[Path("夜/two.wav")]

    verdict = again[Path("夜/ポンプ/一.wav")]
    assert verdict.is_anomaly
    assert Path("out/files.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    for name, rows in (("files", 3), ("windows", 90), ("events", None)):
        columnar = pd.read_parquet(f"out/{name}.parquet")
        plain = pd.read_csv(f"out/{name}.csv", encoding="utf-8-sig")
        numbers = [key for key in plain if key not in ("file", "warnings")]
        pd.testing.assert_frame_equal(columnar[numbers], plain[numbers], check_dtype=False)
        assert list(columnar["file"]) == list(plain["file"])
        assert rows is None or len(columnar) == rows
    assert pd.read_parquet("out/windows.parquet")["start_s"].dtype == float

    original = read(night / "ポンプ" / "一.wav")[0]
    assert any(event.start_s <= 10 and event.end_s >= 14 for event in verdict.events)
    for event in verdict.events:
        start_s, end_s = event.start_s, event.end_s
        name = f"一_00h00m{start_s:04.1f}s-00h00m{end_s:04.1f}s.wav"
        heard, rate = read(Path("out/events/ポンプ") / name)
        assert rate == RATE
        part = original[round(start_s * RATE) : round(end_s * RATE)]
        assert heard == pytest.approx(part, abs=1e-3)
    assert Path("out/timelines/ポンプ/一.png").is_file()
    assert f"of {sum(len(v.events) for v in again.values())} event" in report()
    shutil.rmtree("out/events")
    score.run(ScoreConfig.parse(told | {"clips": 0, "timelines": 0}))
    assert not Path("out/events").exists()
    assert "sound of 0 of" in report()
