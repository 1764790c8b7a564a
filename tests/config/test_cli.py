from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.config import Config
from asd.config.cli import help_text, load
from asd.config.steps import (
    AugmentConfig,
    MainConfig,
    PreprocessConfig,
    TrainConfig,
)
from asd.errors import ConfigError


def test_the_command_line_wins_over_yaml_and_yaml_over_defaults(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("model: cnn\nfeatures:\n  n_mels: 32\n  n_fft: 2048\n", encoding="utf-8")
    config = load(TrainConfig, ["--config", str(preset), "--features.n_mels", "64"])
    assert config.model == "cnn"
    assert config.features == {"n_mels": "64", "n_fft": 2048}
    assert config.threshold.k == 2.0


def test_an_empty_value_means_not_given(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("model: gmm\n", encoding="utf-8")
    assert load(TrainConfig, ["--model=", f"--config={preset}"]).model == "gmm"
    assert load(TrainConfig, ["--model", "", "--data", ""]).model == TrainConfig().model


def test_lists_are_written_with_commas_and_may_begin_with_a_minus() -> None:
    config = load(AugmentConfig, ["--pitch", "-6,-3,1", "--noise_gain_db", "-10,3.5"])
    assert config.pitch == (-6.0, -3.0, 1.0)
    assert config.noise_gain_db == (-10.0, 3.5)
    assert config.noise_count == 20
    assert load(AugmentConfig, ["--noise_count=all"]).noise_count == "all"


def test_fields_of_detectors_and_front_ends_are_passed_on_as_they_are() -> None:
    assert load(TrainConfig, ["--detector.k", "3"]).detector == {"k": "3"}
    assert load(MainConfig, ["--detector.knn.k=3"]).detector == {"knn": {"k": "3"}}
    other = load(TrainConfig, ["--features.name", "other", "--features.n_things", "3"])
    assert other.features == {"name": "other", "n_things": "3"}


class Keyless(Config):
    """A step that can be told nothing."""


def test_a_step_without_keys_says_so() -> None:
    with pytest.raises(ConfigError, match="version: unknown key; there are none"):
        load(Keyless, ["--version", "3"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--features.n_mel", "64"], "features.n_mel: unknown key; valid keys are features.sample"),
        (["--modle", "gmm"], "modle: unknown key; valid keys are features.sample_rate, "),
        (["--features.n_mels", "many"], "features.n_mels='many': must be a whole number"),
        (["--features.n_mels", "0"], "features.n_mels='0': must be at least"),
        (["--features.f_max", "9000"], "f_max=9000 must be at most half the sample rate"),
        (["--features.f_min", "8000"], "f_min=8000 must be below f_max"),
        (["--threshold.method", "magic"], "threshold.method='magic': must be conformal"),
        (["--threshold.method", "fixed"], "threshold.method=fixed needs threshold.value"),
        (["--threshold.value", "nan"], "threshold.value='nan': must be a finite number"),
        (["--threshold.k", "inf"], "threshold.k='inf': must be a finite number"),
        (["--seed"], "--seed: a value must follow"),
        (["seed", "3"], "'seed': expected --key value"),
        (["--seed", "1", "--seed.x", "2"], "seed.x: seed is a value, not a group"),
        (["--config", "absent.yaml"], "config=absent.yaml: cannot be read"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(words: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TrainConfig, words)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("- a\n- b\n", "must hold lines of key: value"), ("a: [1\n", "not a YAML file")],
)
def test_a_wrong_yaml_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=expected) as caught:
        load(TrainConfig, ["--config", str(path)])
    assert str(path) in str(caught.value)


def test_yaml_may_nest_or_dot_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "dotted.yaml"
    path.write_text("threshold.k: 3\ndetector:\n  k: 5\n", encoding="utf-8")
    config = load(TrainConfig, ["--config", str(path)])
    assert (config.threshold.k, config.detector) == (3.0, {"k": 5})


@pytest.mark.parametrize("split", ["0.5,0.5", "0.5,0.2,0.1", "0,0.5,0.5", "1.2,-0.1,-0.1"])
def test_shares_must_be_three_and_add_up_to_one(split: str) -> None:
    with pytest.raises(ConfigError, match="split"):
        load(PreprocessConfig, ["--source", "x", "--split", split])


def test_a_required_key_says_how_to_give_it() -> None:
    with pytest.raises(ConfigError, match="source: a value is required; give it as -P source="):
        load(PreprocessConfig, [])


@given(st.integers(2, 1024), st.floats(1e-6, 0.999), st.text(min_size=1).filter(str.strip))
def test_what_is_written_is_what_is_read(n_mels: int, rate: float, model: str) -> None:
    words = [f"--features.n_mels={n_mels}", f"--threshold.false_alarm_rate={rate!r}"]
    config = load(TrainConfig, [*words, f"--model={model}"])
    assert config.features == {"n_mels": str(n_mels)}
    assert config.threshold.false_alarm_rate == rate
    assert config.model == model


@pytest.mark.parametrize("config", [TrainConfig, MainConfig, AugmentConfig])
def test_help_names_every_key_with_its_default(config: type[TrainConfig]) -> None:
    text = help_text(config, "mlflow run . -e x")
    assert text.startswith("usage: mlflow run . -e x [-P key=value ...]\n")
    for key in config.keys():  # noqa: SIM118 - a class method, not a mapping
        assert f"\n  {key}=" in text
    assert "(default: 42)" in text


def test_the_home_folder_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.yaml").write_text("source: ~/from yaml\n", encoding="utf-8")
    config = load(PreprocessConfig, ["--config=~/my.yaml", "--output=~/pump 1"])
    assert (config.source, config.output) == (f"{tmp_path}/from yaml", f"{tmp_path}/pump 1")
    assert load(PreprocessConfig, ["--source=pump~1"]).source == "pump~1"
    models = load(MainConfig, ["--models=knn,~/my.yaml"]).models
    assert models == ("knn", f"{tmp_path}/my.yaml")


_ALIASES = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nmodel: [*b,*b]\n"


@pytest.mark.parametrize(
    "text",
    [
        "model: " + "[" * 2000 + "]" * 2000,
        "model: " + "{a: " * 500 + "1" + "}" * 500,
        _ALIASES,
        "model: 2020-13-45\n",
        "model: " + "x" * 1_000_001,
        "seed: " + "1" * 5000,
        "!!python/object/apply:os.system [true]\n",
        "? [a, b]\n: c\n",
    ],
    ids=["lists", "keys", "aliases", "no date", "long", "number", "python", "key"],
)
def test_hostile_settings_are_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(TrainConfig, [f"--config={path}"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 10_500
