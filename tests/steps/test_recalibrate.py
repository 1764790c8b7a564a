"""What `recalibrate` says of the unit that a model was moved to."""

from types import SimpleNamespace
from typing import Any

import pytest

from asd.steps.recalibrate import _unit_line


def unit_line(shift_db: float, knows_spectrum: bool, n_recordings: int) -> str:
    scorer = SimpleNamespace(shift_db=shift_db, equalisers={"key": 1} if knows_spectrum else {})
    moved: Any = SimpleNamespace(scorer=scorer)
    rows = [SimpleNamespace(machine="", session="", recording=f"r{n}") for n in range(n_recordings)]
    normal: Any = SimpleNamespace(clips=rows)
    return _unit_line(moved, normal)


@pytest.mark.parametrize(
    ("shift_db", "knows_spectrum", "n_recordings", "said"),
    [
        (3.14, True, 10, "is 3.1 dB from the one learned from"),
        (0.0, True, 10, "no further from the one learned from than chance"),
        (0.0, True, 2, "with 3 recordings or more"),
        (0.0, False, 10, "only the threshold moved"),
    ],
)
def test_it_says_how_far_the_unit_is_off_or_why_that_is_not_known(
    shift_db: float, knows_spectrum: bool, n_recordings: int, said: str
) -> None:
    assert said in unit_line(shift_db, knows_spectrum, n_recordings)
