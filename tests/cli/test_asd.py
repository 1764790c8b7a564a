"""The ``asd`` command does what MLproject's entry points do."""

import logging
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from asd.cli import main as program
from asd.cli.early import check
from asd.cli.main import STEPS, app
from asd.config.steps import ScoreConfig, SweepConfig, TrainConfig
from asd.data import manifest
from asd.errors import AsdError
from asd.tracking import overview

PROJECT = Path(__file__).resolve().parents[2]


def asd(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_it_has_the_entry_points_of_the_project() -> None:
    entries = yaml.safe_load((PROJECT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    assert set(STEPS) == set(entries)
    for name, (module, _) in STEPS.items():
        assert f"-m entrypoints.{module}" in entries[name]["command"]


@pytest.mark.parametrize("name", sorted(STEPS))
def test_help_names_every_key_with_its_choices(name: str) -> None:
    text = asd(name, "--help").output
    assert "--dry-run" in text
    for key in STEPS[name][1].model_fields:
        assert f"--{key}" in text
    if name == "train":
        assert "auto|cnn|dense_ae" in text
        assert "conformal|mean_std" in text


def test_it_hands_the_words_to_the_same_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, object, list[str], int]] = []
    monkeypatch.setattr(program, "launch", lambda *given: called.append(given))
    done = asd("train", "--model", "knn", "--features.n_mels", "64", "--detector.k", "3")
    assert done.exit_code == 0, done.output
    [(module, config, words, level)] = called
    assert (module, config, level) == ("train", TrainConfig, logging.INFO)
    assert words == ["--model", "knn", "--features.n_mels", "64", "--detector.k", "3"]


def test_a_dry_run_checks_the_words_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = asd("train", "--model", "knn", "--dry-run")
    assert "model=knn" in done.output.splitlines()
    assert not list(tmp_path.iterdir())
    wrong = asd("train", "--model", "magic", "--dry-run")
    assert isinstance(wrong.exception, AsdError)


def test_it_says_more_or_less(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr(program, "launch", lambda *given: called.append(given[-1]))
    for word in ("--quiet", "--verbose"):
        assert asd("train", word).exit_code == 0
    assert called == [logging.WARNING, logging.DEBUG]
    both = asd("train", "--quiet", "--verbose")
    assert "give one of them" in str(both.exception)


def a_data_set(folder: Path, clips: int) -> None:
    folder.mkdir(parents=True)
    listed = []
    for index in range(clips):
        (folder / f"{index}.wav").touch()
        words = {"path": f"{index}.wav", "recording": f"m{index}", "sha256": f"{index:064d}"}
        facts = {"start_s": 0, "duration_s": 30, "split": "train", "label": "normal"}
        listed.append(manifest.Clip.model_validate(words | facts))
    manifest.save(folder, listed)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--data", "data/pump"], ["data/pump: 4 clips, 2.0 minutes of sound"]),
        (["evaluate", "--data", "data/pump"], ["data/pump: 4 clips, 2.0 minutes of sound"]),
        (["score", "--source", "new"], ["new: 2 recordings, 3.0 MB"]),
        (["extract", "--source", "new"], ["new: 2 recordings, 3.0 MB"]),
        (["preprocess", "--source", "new"], ["new: 2 recordings, 3.0 MB"]),
        (["main", "--source", "new", "--models", "knn,gmm"],
         ["new: 2 recordings, 3.0 MB", "2 fits"]),
        (["sweep", "--data", "data/pump", "--trials", "7", "--timeout_s", "60"],
         ["data/pump: 4 clips, 2.0 minutes of sound", "7 trials, within 60 s"]),
        (["compare", "--models", "knn,gmm", "--data", "data/pump"],
         ["data/pump: 4 clips, 2.0 minutes of sound", "at most 6 fits"]),
    ],
    ids=lambda value: value[0],
)  # fmt: skip
def test_a_dry_run_says_how_much_there_is_to_do(
    words: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    a_data_set(Path("data/pump"), 4)
    Path("new").mkdir()
    for name in "ab":
        Path("new", f"{name}.wav").write_bytes(bytes(1_500_000))
    said = asd(*words, "--dry-run")
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-len(expected) :] == expected


def test_a_dry_run_tells_the_time_from_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///none.db")
    monkeypatch.setattr(overview, "newest_pace", lambda *_: (20.0, 60.0))
    a_data_set(Path("data/pump"), 4)
    said = asd("train", "--data", "data/pump", "--dry-run").output.splitlines()
    assert said[-1] == "about 40 s, as the newest train took 20 s for 1.0 minutes of sound"


def test_it_lists_what_there_is(tmp_path: Path) -> None:
    assert {"auto", "knn"} <= set(asd("models").output.split())
    assert "no data set" in asd("data", str(tmp_path)).output


def test_a_data_set_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine" / "a.wav").touch()
    clip = manifest.Clip(
        path="a.wav",
        recording="m0",
        start_s=0,
        duration_s=1,
        split="train",
        label="normal",
        sha256="0" * 64,
    )
    manifest.save(tmp_path / "fine", [clip])
    for name, text in (("cp932", "ポンプ".encode("cp932")), ("short", b"recording\nm0\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").write_bytes(text)
    done = asd("data", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert f"| {tmp_path / 'fine'} " in done.output
    unread = [line for line in done.output.splitlines() if line.startswith("not read: ")]
    assert [("cp932" in line, "short" in line) for line in unread] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (TrainConfig(model="magic"), "unknown model"),
        (TrainConfig(data="nowhere"), r"nowhere: no data set here \(no manifest.csv\)"),
        (SweepConfig(model=("knn", "magic")), "unknown model"),
        (ScoreConfig(source="nowhere.wav"), r"nowhere.wav: no such file or folder"),
    ],
    ids=str,
)
def test_wrong_words_are_refused_before_anything_is_loaded(
    config: TrainConfig, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsdError, match=expected):
        check(config)


def test_good_words_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for config in (TrainConfig(), SweepConfig(), TrainConfig(model="auto")):
        check(config)
