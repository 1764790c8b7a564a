"""Which recordings can be compared with those of the training."""

from dataclasses import replace

import pytest

from asd.audio.comparable import Notice, Ranges, Reference
from asd.audio.condition import Condition
from asd.audio.resample import RESAMPLER

USUAL = Condition(
    sample_rate=16000,
    channels=2,
    duration_s=60.0,
    level_db=-30.0,
    clipped=0.0,
    dropouts=0,
    silent=0.0,
    band_hz=8000.0,
    cancel_db=1.0,
    imbalance_db=2.0,
)

FLAWS = [
    ({"sample_rate": 8000}, "rate", "recorded at 8000 Hz, the model knows 16000 Hz", False),
    ({"band_hz": 3500.0}, "band", "up to 3500 Hz only, the training up to 8000 Hz", False),
    ({"level_db": -75.0}, "level", "level -75 dB", False),
    ({"clipped": 0.02}, "clipping", "2.0% of the samples are clipped", True),
    ({"dropouts": 1}, "dropouts", "1 dropout of exact zeros", False),
    ({"silent": 0.7}, "silence", "70% of it is silence", False),
    ({"cancel_db": 47.0}, "cancel", "channels cancel, their mean lies 47 dB below", False),
    ({"imbalance_db": 40.0}, "balance", "one channel is 40 dB louder", False),
    ({"duration_s": 5.0}, "length", "lasts 5.00 s, a clip of the training 10 s", True),
]  # fmt: skip


def ranges(*conditions: Condition) -> Ranges:
    measured = Ranges.of(conditions)
    assert measured is not None
    return measured


def notices(condition: Condition, known: Ranges | None) -> list[Notice]:
    return Reference(16000, 10.0, known).notices(condition)


@pytest.mark.parametrize("known", [None, ranges(USUAL, replace(USUAL, level_db=-40.0))])
@pytest.mark.parametrize(("flaw", "kind", "text", "comparable"), FLAWS)
def test_each_flaw_has_its_one_sentence(
    flaw: dict[str, float], kind: str, text: str, comparable: bool, known: Ranges | None
) -> None:
    assert notices(USUAL, known) == []
    [notice] = notices(replace(USUAL, **flaw), known)  # type: ignore[arg-type]
    assert (notice.kind, notice.comparable) == (kind, comparable)
    assert text in notice.text
    assert ("not comparable" in notice.text) is not comparable


@pytest.mark.parametrize("flaw", [flaw for flaw, kind, *_ in FLAWS if kind != "cancel"])
def test_what_the_training_has_too_is_not_told(flaw: dict[str, float]) -> None:
    same = replace(USUAL, **flaw)  # type: ignore[arg-type]
    assert notices(same, ranges(USUAL, same)) == []


def test_a_level_is_far_when_it_lies_20_db_outside_of_the_training() -> None:
    known = ranges(USUAL, replace(USUAL, level_db=-40.0))
    told = {level: notices(replace(USUAL, level_db=level), known) for level in (-61, -59, -11, -9)}
    assert not told[-59]
    assert not told[-11]
    assert not told[-61][0].comparable
    # A fault may be loud: strict=true must not leave it out.
    assert told[-9][0].comparable


def test_sound_where_the_training_had_none_is_told() -> None:
    known = ranges(replace(USUAL, band_hz=4000.0))
    [notice] = notices(USUAL, known)
    assert notice.text == (
        "holds sound up to 8000 Hz, the training up to 4000 Hz only: not comparable"
    )
    higher = replace(USUAL, sample_rate=48000, band_hz=24000.0)
    assert notices(higher, ranges(USUAL)) == [], "the model hears none of it"


def test_many_channels_that_have_nothing_in_common_do_not_cancel() -> None:
    assert notices(replace(USUAL, channels=64, cancel_db=18.1), None) == []
    assert notices(replace(USUAL, channels=2, cancel_db=18.1), None)


def test_channels_that_cancel_are_told_though_those_of_the_training_did_too() -> None:
    opposite = replace(USUAL, cancel_db=47.0)
    [notice] = notices(opposite, ranges(opposite))
    assert notice.comparable
    assert "as in the training" in notice.text
    assert "channel=left" in notice.text


def test_what_is_resampled_otherwise_than_the_training_was_is_told() -> None:
    fast = replace(USUAL, sample_rate=44100)

    def kinds(condition: Condition, known: Ranges | None, resampler: str) -> list[str]:
        reference = Reference(16000, 10.0, known, resampler)
        return [notice.kind for notice in reference.notices(condition)]

    assert kinds(fast, ranges(fast), "swr") == ["resampler"]
    assert kinds(fast, None, "swr") == ["resampler"], "an early model does not say of which rate"
    assert kinds(fast, ranges(fast), RESAMPLER) == []
    assert kinds(fast, ranges(USUAL), "swr") == [], "the training's clips were not resampled"
    assert kinds(USUAL, ranges(USUAL), "swr") == []


def test_ranges_of_the_middle_pass_over_single_recordings() -> None:
    several = [replace(USUAL, level_db=level) for level in (-90.0, -31.0, -30.0, -29.0, -28.0)]
    middle = Ranges.of(several, 0.5)
    assert middle is not None
    assert middle.level_db == (-31.0, -29.0)
    assert Ranges.of([]) is None
