"""Sentences of findings, word by word."""

from typing import Any

import pytest

from asd.pipeline.finding import Finding
from asd.pipeline.sentence import sentence


def finding(**fields: Any) -> Finding:
    """A steady sound from 3.1 to 5.6 kHz, with other fields."""
    usual: dict[str, Any] = {
        "bands_hz": ((3100.0, 5600.0),),
        "times_s": ((0.0, 10.0),),
        "level_db": 14.0,
        "rhythm": "steady",
        "rate_hz": None,
        "duration_s": 10.0,
        "tonal": False,
        "floor_hz": 10.0,
        "ceiling_hz": 8000.0,
    }
    return Finding(**(usual | fields))


KNOCK = {"bands_hz": ((10.0, 400.0),), "rhythm": "repeating", "rate_hz": 2.0, "level_db": 9.0}


@pytest.mark.parametrize(
    ("fields", "english", "japanese"),
    [
        (
            {},
            "A hiss between 3.1 and 5.6 kHz, 14 dB above the usual, throughout.",
            "3.1～5.6 kHz に「シュー」という音があり、通常より 14 dB 大きくなっています。"
            "全体を通して続きます。",
        ),
        (
            KNOCK,
            "A knock below 400 Hz, 9 dB above the usual, 2.0 times a second.",
            "400 Hz 以下に打音があり、通常より 9 dB 大きくなっています。"
            "1 秒間に 2.0 回くり返します。",
        ),
        (
            {"level_db": -6.4, "times_s": ((2.0, 7.0),)},
            "Less sound between 3.1 and 5.6 kHz, 6 dB below the usual, from 2.0 to 7.0 s.",
            "3.1～5.6 kHz の音が通常より 6 dB 小さくなっています。2.0 秒から 7.0 秒まで。",
        ),
        (
            {"tonal": True, "bands_hz": ((118.0, 122.0),)},
            "A hum around 120 Hz, 14 dB above the usual, throughout.",
            "120 Hz 付近に「ブーン」という低い音があり、通常より 14 dB 大きくなっています。"
            "全体を通して続きます。",
        ),
        (
            {"rhythm": "once", "times_s": ((3.2, 3.4),), "bands_hz": ((900.0, 8000.0),)},
            "A knock above 900 Hz, 14 dB above the usual, once, at 3.2 s.",
            "900 Hz 以上に打音があり、通常より 14 dB 大きくなっています。3.2 秒に 1 回。",
        ),
        (
            {"rhythm": "several", "times_s": ((1.0, 2.0), (5.0, 6.0))},
            "A hiss between 3.1 and 5.6 kHz, 14 dB above the usual, 2 times, from 1.0 to 6.0 s.",
            "3.1～5.6 kHz に「シュー」という音があり、通常より 14 dB 大きくなっています。"
            "1.0 秒から 6.0 秒までに 2 回。",
        ),
        (
            {"level_db": None},
            "No louder than usual, but it varies in an unusual way between 3.1 and 5.6 kHz, "
            "throughout.",
            "3.1～5.6 kHz の音の変化のしかたがいつもと異なります(音量は通常どおり)。"
            "全体を通して続きます。",
        ),
    ],
)
def test_a_finding_in_words(fields: dict[str, Any], english: str, japanese: str) -> None:
    assert sentence(finding(**fields), "en") == english
    assert sentence(finding(**fields), "ja") == japanese


def test_nothing_found_is_said_too() -> None:
    assert sentence(None, "en").startswith("Nothing stands out")
    assert sentence(None, "ja").startswith("特に目立つ帯域はありません")
