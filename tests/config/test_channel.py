"""Channels by the words that people use."""

import pytest

from asd.config.cli import help_text, load
from asd.config.steps import MainConfig, PreprocessConfig
from asd.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "channel"),
    [("left", 0), ("right", 1), ("mix", None), ("0", 0), ("3", 3), (" Left ", 0), ("", None)],
)
def test_words_and_numbers(word: str, channel: int | None) -> None:
    config = load(PreprocessConfig, ["--source=pump.wav", f"--channel={word}"])
    assert config.channel == channel
    assert load(MainConfig, ["--channel", word]).channel == channel


@pytest.mark.parametrize("word", ["centre", "-1", "1.5"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"channel='.*': must be left, right, mix or a number"):
        load(PreprocessConfig, ["--source=pump.wav", f"--channel={word}"])


def test_help_tells_of_channel_and_stream() -> None:
    text = help_text(PreprocessConfig, "preprocess")
    assert "left, right or a number" in text
    assert "stream=STREAM" in text
