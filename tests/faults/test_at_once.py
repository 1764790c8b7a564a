"""Two commands in the same moment: each is done or refused in one line, and nothing is lost."""

import os
from collections.abc import Callable

import pytest

from tests.faults.conftest import Commands
from tests.faults.place import Place
from tests.faults.test_kills import OTHER, PREPROCESS, STEPS, TRAIN

pytestmark = pytest.mark.skipif(
    os.environ.get("ASD_TEST_FAULTS") != "1", reason="takes long; make test-faults runs it"
)

OVERWRITE = STEPS["overwrite"][1]
SHORTER = (*PREPROCESS[:3], "--clip_seconds=0.5")
SWEEP = STEPS["sweep"][1]
Both = tuple[tuple[str, ...], tuple[str, ...]]
PAIRS: dict[str, tuple[Commands, Both, set[tuple[int, ...]]]] = {
    "two preprocess into one output": ((), (PREPROCESS, SHORTER), {(0, 2)}),
    "one preprocess, given twice": ((), (PREPROCESS, PREPROCESS), {(0, 0), (0, 2)}),
    "preprocess and train, overwriting": ((PREPROCESS,), (OVERWRITE, TRAIN), {(0, 0), (0, 2)}),
    "two trainings": ((PREPROCESS,), (TRAIN, OTHER), {(0, 0)}),
    "one training, given twice": ((PREPROCESS,), (TRAIN, TRAIN), {(0, 0)}),
    "one network, given twice": ((PREPROCESS,), (STEPS["network"][1],) * 2, {(0, 0)}),
    "two promotions of one model": ((PREPROCESS, TRAIN), (("promote",),) * 2, {(0, 0)}),
    "one sweep, given twice": ((PREPROCESS,), (SWEEP, SWEEP), {(0, 0)}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_at_once(
    name: str, place_of: Callable[[Commands], Place], row: Callable[..., None]
) -> None:
    before, commands, allowed = PAIRS[name]
    place = place_of(before)
    logs = [place.root.with_name(f"{number}.log") for number in range(2)]
    begun = [place.begin(*words, log=log) for words, log in zip(commands, logs, strict=True)]
    codes = tuple(sorted(place.end(process) for process in begun))
    said = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    assert codes in allowed, said
    assert not any("Traceback" in text for text in said), said
    assert (place.running(), place.left()) == ([], [])
    assert place.query("select count(*) from model_versions")[0][0] <= 1
    row(name, "at once", f"exit codes {codes}")
