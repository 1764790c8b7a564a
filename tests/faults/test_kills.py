"""Every step is ended at many moments and given again: the result is that of one left in peace.

Run by ``make test-faults``. SIGKILL and SIGTERM take turns; `ASD_FAULT_MOMENTS` says how many
moments a step has.
"""

import os
import signal
from collections.abc import Callable

import pytest

from tests.faults.conftest import Commands
from tests.faults.place import Place

MOMENTS = int(os.environ.get("ASD_FAULT_MOMENTS", "25"))

pytestmark = pytest.mark.skipif(
    os.environ.get("ASD_TEST_FAULTS") != "1", reason="takes long; make test-faults runs it"
)

PREPROCESS = ("preprocess", "--source=source", "--output=data/m", "--clip_seconds=1")
TRAIN = ("train", "--data=data/m", "--model=knn")
OTHER = ("train", "--data=data/m", "--model=mahalanobis")
PROMOTE = ("promote",)
CHAMPION = (PREPROCESS, TRAIN, PROMOTE)
DEAF = (*OTHER, "--features.f_min=3000")
"""Hears nothing of what sets the anomalies apart, so that the next one is better."""
TWO_CHAMPIONS = (PREPROCESS, DEAF, PROMOTE, TRAIN, PROMOTE)

STEPS: dict[str, tuple[Commands, tuple[str, ...], str]] = {
    "extract": ((), ("extract", "--source=source", "--output=data/x", "--format=flac"), "data/x"),
    "preprocess": ((), PREPROCESS, "data/m"),
    "overwrite": (
        (PREPROCESS,),
        (*PREPROCESS[:3], "--clip_seconds=2", "--overwrite=true"),
        "data/m",
    ),
    "augment": (
        (PREPROCESS,),
        ("augment", "--data=data/m", "--output=data/a", "--pitch=-2,2"),
        "data/a",
    ),
    "train": ((PREPROCESS,), TRAIN, ""),
    "network": (
        (PREPROCESS,),
        (*TRAIN[:2], "--model=cnn", "--detector.epochs=4", "--threshold.calibration=split"),
        "",
    ),
    "import": (
        (PREPROCESS,),
        ("import_checkpoint", "--checkpoint=original.pth", "--data=data/m"),
        "",
    ),
    "evaluate": ((PREPROCESS, TRAIN), ("evaluate",), ""),
    "promote": ((PREPROCESS, TRAIN), PROMOTE, ""),
    "promote the second": ((*CHAMPION, OTHER), PROMOTE, ""),
    "rollback": (TWO_CHAMPIONS, ("rollback",), ""),
    "score": (CHAMPION, ("score", "--source=source"), "scores"),
    "threshold": (CHAMPION, ("threshold", "--false_alarm_rate=0.2"), ""),
    "recalibrate": (CHAMPION, ("recalibrate", "--data=data/m"), ""),
    "compare": (
        (PREPROCESS,),
        ("compare", "--models=knn,mahalanobis", "--data=data/m", "--seeds=1"),
        "",
    ),
    "sweep": (
        (PREPROCESS,),
        ("sweep", "--data=data/m", "--model=knn", "--trials=3", "--features.n_mels=32"),
        ".cache/studies",
    ),
    "main": ((), ("main", "--source=source", "--models=knn", "--clip_seconds=1"), "data/main"),
}
SIGNALS = [signal.SIGKILL, signal.SIGTERM]
JOBS = {"extract": 2}
"""Shares its work among processes, which are to end with it."""
_RUN_OF = {"import_checkpoint": "import"}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_was_ended_is_given_again(
    name: str, place_of: Callable[[Commands], Place], row: Callable[..., None]
) -> None:
    before, words, output = STEPS[name]
    step = _RUN_OF.get(words[0], words[0])

    def fresh() -> Place:
        place = place_of(before)
        place.jobs = JOBS.get(name, 1)
        return place

    place = fresh()
    total = place.changes(*words)
    right = place.result(step, output)
    assert right
    ended = dict.fromkeys(SIGNALS, 0)
    wrong: list[str] = []
    for moment in range(MOMENTS):
        at = 1 + round((total - 1) * (moment + 0.5) / MOMENTS)
        number = SIGNALS[moment % len(SIGNALS)]
        place = fresh()
        code = place.run(*words, at=at, signal=number)
        faults = check_ended(place, words, code, number)
        ended[number] += code != 0
        if code and place.run(*words):
            faults.append(f"given again: {place.said(words)[-300:]}")
        found = place.result(step, output)
        faults += [f"other {key}" for key in right | found if right.get(key) != found.get(key)]
        faults += [f"{what} at the end" for what in (*place.running(), *place.left())]
        wrong += [f"{number.name} at change {at} of {total}: {fault}" for fault in faults]
    said = "; ".join(wrong) or "all equal, nothing RUNNING, nothing left"
    row(name, total, *ended.values(), said)
    assert wrong == []


def check_ended(place: Place, words: tuple[str, ...], code: int, number: int) -> list[str]:
    """What is not as it has to be just after a step was ended."""
    if number == signal.SIGKILL:
        return [] if code in (0, -number) else [f"exit code {code}"]
    # What a network has learned so far is left for the same command.
    here = (*place.running(), *place.left(checkpoints=False))
    faults = [f"after SIGTERM: {what}" for what in here]
    said = place.said(words)
    if code not in (0, 128 + number) or "Traceback" in said:
        faults.append(f"after SIGTERM: exit code {code}, {said[-300:]}")
    return faults
