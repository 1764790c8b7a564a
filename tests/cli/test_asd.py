"""The ``asd`` command does what MLproject's entry points do."""

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
    called: list[tuple[str, object, list[str]]] = []
    monkeypatch.setattr(program, "launch", lambda *given: called.append(given))
    done = asd("train", "--model", "knn", "--features.n_mels", "64", "--detector.k", "3")
    assert done.exit_code == 0, done.output
    [(module, config, words)] = called
    assert (module, config) == ("train", TrainConfig)
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
