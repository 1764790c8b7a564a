"""Verdicts are kept by content and model, and judged again where they cannot be read."""

from pathlib import Path

import pytest

from asd.decision.events import Event
from asd.errors import AudioError
from asd.pipeline.judged import Judged
from asd.pipeline.verdict import Verdict, Window

VERDICT = Verdict(
    windows=(Window(0.0, 1.0, 2.0, True, 0.01), Window(1.0, 1.0, 0.1 + 0.2, False, None)),
    threshold=1.5,
    anomaly_score=2.0,
    is_anomaly=True,
    p_value=0.01,
    events=(Event(0.0, 1.0, 0.0, 2.0, None, None),),
    warnings=("音が小さい",),
    not_comparable=("short",),
    note="modelled",
)


class Counting:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _: Path) -> Verdict:
        self.calls += 1
        return VERDICT


def test_the_same_sound_is_judged_once_whatever_it_is_called(tmp_path: Path) -> None:
    judged, judge = Judged.below(tmp_path / "kept", "models:/m", ""), Counting()
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"sound")
    assert judged.verdict(tmp_path / "a.wav", judge) == (VERDICT, False)
    assert judged.verdict(tmp_path / "b.wav", judge) == (VERDICT, True)
    (tmp_path / "b.wav").write_bytes(b"another")
    assert judged.verdict(tmp_path / "b.wav", judge)[1] is False
    other = Judged.below(tmp_path / "kept", "models:/m", "pump 2")
    assert other.verdict(tmp_path / "a.wav", judge)[1] is False
    assert judge.calls == 3


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"windows": 5}', "\xff"])
def test_what_cannot_be_read_is_judged_again(tmp_path: Path, content: str) -> None:
    judged, judge = Judged(tmp_path / "kept"), Counting()
    (tmp_path / "a.wav").write_bytes(b"sound")
    judged.verdict(tmp_path / "a.wav", judge)
    [place] = judged.root.iterdir()
    place.write_text(content, encoding="latin-1")
    assert judged.verdict(tmp_path / "a.wav", judge) == (VERDICT, False)
    assert judged.verdict(tmp_path / "a.wav", judge) == (VERDICT, True)


def test_what_went_wrong_is_not_kept(tmp_path: Path) -> None:
    judged = Judged(tmp_path / "kept")
    (tmp_path / "a.wav").write_bytes(b"sound")

    def fails(path: Path) -> Verdict:
        raise AudioError(f"{path}: cannot be read")

    with pytest.raises(AudioError):
        judged.verdict(tmp_path / "a.wav", fails)
    assert not judged.root.exists()
