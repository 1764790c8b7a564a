"""The training loop: what is kept, when it stops, and that a kill does not change the outcome."""

import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.arrays import Spectrogram
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn, CnnConfig
from asd.detectors.nets import training
from asd.detectors.nets.checkpoint import CHECKPOINT_NAME
from asd.detectors.nets.training import chunks
from asd.detectors.nets.workers import Workers
from asd.errors import DetectorError
from asd.features.clipset import ClipSet
from asd.parallel import in_threads

BRIEF = {"epochs": 5, "batch_size": 4, "channels": 2, "learning_rate": 0.01}


def make_clips(n_clips: int, seed: int, n_frames: int = 15) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0, 1, (16, n_frames)).astype(np.float32) for _ in range(n_clips)]


def build(**values: Any) -> Cnn:
    return Cnn(CnnConfig.parse({**BRIEF, **values}), seed=3)


def weights(detector: Cnn) -> dict[str, torch.Tensor]:
    return detector.network_.state_dict()


def assert_same_weights(found: Cnn, expected: Cnn) -> None:
    for key, value in weights(expected).items():
        assert torch.equal(weights(found)[key], value), key


def test_tells_each_epoch_once() -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    detector = build()
    detector.fit(
        ClipSet(make_clips(9, 0)),
        ClipSet(make_clips(3, 1)),
        FitContext(on_epoch=lambda *epoch: told.append(epoch)),
    )
    assert [number for number, _ in told] == [1, 2, 3, 4, 5]
    assert [metrics for _, metrics in told] == detector.history_
    assert set(told[0][1]) == {"train_loss", "valid_loss", "learning_rate", "clips_per_s"}
    assert told[0][1]["learning_rate"] == 0.01
    assert told[-1][1]["train_loss"] < told[0][1]["train_loss"]


def test_keeps_the_best_epoch_not_the_last() -> None:
    valid = make_clips(3, 1)
    detector = build(learning_rate=0.3, epochs=12)
    detector.fit(ClipSet(make_clips(9, 0)), ClipSet(valid))
    losses = [metrics["valid_loss"] for metrics in detector.history_]
    assert min(losses) < losses[-1]
    assert detector.score(ClipSet(valid)).mean() == pytest.approx(min(losses), rel=1e-5)


def test_settled_it_learns_the_same_without_the_validation_clips() -> None:
    train, valid = ClipSet(make_clips(9, 0)), ClipSet(make_clips(3, 1))
    detector = build(learning_rate=0.03, epochs=40, patience=3).fit(train, valid)
    losses = [metrics["valid_loss"] for metrics in detector.history_]
    again = Cnn(detector.settled(), seed=3).fit(train, ClipSet([]))
    assert len(again.history_) == int(np.argmin(losses)) + 1 < len(losses) < 40
    assert_same_weights(again, detector)


def test_without_validation_clips_the_training_loss_decides() -> None:
    detector = build(epochs=2)
    detector.fit(ClipSet(make_clips(5, 0)), ClipSet([]))
    assert "valid_loss" not in detector.history_[0]


def test_stops_when_patience_runs_out() -> None:
    noise = [np.float32(1) - clip for clip in make_clips(3, 0)]
    detector = build(epochs=200, patience=3)
    detector.fit(ClipSet(make_clips(3, 0)), ClipSet(noise))
    losses = [metrics["valid_loss"] for metrics in detector.history_]
    assert len(losses) < 200
    assert len(losses) - (1 + int(np.argmin(losses))) == 3


def test_a_loss_that_is_not_a_number_stops_with_a_remedy() -> None:
    bad = make_clips(4, 0)
    bad[2][0, 0] = np.nan
    with pytest.raises(DetectorError, match=r"model=cnn: the loss in epoch 1 .*learning_rate"):
        build().fit(ClipSet(bad), ClipSet([]))


def test_a_short_gradient_hardly_moves_the_weights() -> None:
    # Adam divides by the gradient's size plus 1e-8, so only far shorter ones take small steps.
    clips = make_clips(4, 0)
    fresh, moved, held = (build(epochs=1, gradient_clip=clip) for clip in (0, 0, 1e-12))
    moved.fit(ClipSet(clips), ClipSet([]))
    held.fit(ClipSet(clips), ClipSet([]))
    with torch.random.fork_rng():
        torch.manual_seed(fresh.seed)
        start = fresh._build(16).state_dict()
    steps = {
        name: max(float((weights(one)[key] - start[key]).abs().max()) for key in start)
        for name, one in (("moved", moved), ("held", held))
    }
    assert steps["held"] < 1e-5 < 5e-3 < steps["moved"]


def test_the_weights_depend_on_the_seed_alone() -> None:
    clips = make_clips(9, 0)
    torch.manual_seed(1)
    one = build()
    one.fit(ClipSet(clips), ClipSet([]))
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    other = build()
    other.fit(ClipSet(clips), ClipSet([]))
    assert_same_weights(other, one)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == Workers(torch.device("cpu")).count


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn, CnnConfig
from asd.features.clipset import ClipSet

class Deadly(Cnn):
    left = 10**9
    def _losses(self, clips):
        Deadly.left -= len(clips)
        if Deadly.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._losses(clips)

def on_epoch(number, metrics):
    if number == 2:
        Deadly.left = 5

rng = np.random.default_rng(0)
clips = [rng.uniform(0, 1, (16, 15)).astype(np.float32) for _ in range(9)]
rng = np.random.default_rng(1)
valid = [rng.uniform(0, 1, (16, 15)).astype(np.float32) for _ in range(3)]
detector = Deadly(CnnConfig(epochs=5, batch_size=4, channels=2, learning_rate=0.01), seed=3)
context = FitContext(on_epoch=on_epoch, checkpoint_dir=Path(sys.argv[1]))
detector.fit(ClipSet(clips), ClipSet(valid), context)
"""


def test_a_training_killed_in_its_third_epoch_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]

    passed: list[int] = []

    class Counted(Cnn):
        def _losses(self, clips: torch.Tensor) -> torch.Tensor:
            passed.append(len(clips))
            return super()._losses(clips)

    told: dict[int, int] = {}

    def on_epoch(number: int, _: Mapping[str, float]) -> None:
        told[number] = sum(passed)
        passed.clear()

    context = FitContext(on_epoch=on_epoch, checkpoint_dir=tmp_path)
    resumed, whole = Counted(CnnConfig.parse(BRIEF), seed=3), build()
    clips, valid = ClipSet(make_clips(9, 0)), ClipSet(make_clips(3, 1))
    resumed.fit(clips, valid, context)
    whole.fit(clips, valid)
    assert list(told) == [1, 2, 3, 4, 5]
    assert told[2] == 0, "two epochs were finished before the kill"
    assert told[4] == told[5] == 9 + 3
    assert_same_weights(resumed, whole)
    for key in ("train_loss", "valid_loss"):
        assert [m[key] for m in resumed.history_] == [m[key] for m in whole.history_]


@pytest.mark.parametrize(("most", "reads_an_epoch"), [(9 * 15, 0), (9 * 15 - 1, 9)])
def test_few_clips_are_read_once_and_many_once_an_epoch(
    most: int, reads_an_epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    class Counted(list[Spectrogram]):
        def __getitem__(self, index: Any) -> Any:
            reads.append(index)
            return super().__getitem__(index)

    monkeypatch.setattr(training, "_KEPT_FRAMES", most)
    told: list[list[int]] = []

    def on_epoch(*_: object) -> None:
        told.append(sorted(reads))
        reads.clear()

    context = FitContext(on_epoch=on_epoch)
    build().fit(ClipSet(Counted(make_clips(9, 0))), ClipSet([]), context)
    assert told[1:] == [list(range(reads_an_epoch))] * 4


def test_fits_in_threads_learn_what_they_learn_alone() -> None:
    clips, context = ClipSet(make_clips(9, 0)), FitContext(jobs=1)
    alone, *others = (build() for _ in range(5))
    alone.fit(clips, ClipSet([]), context)
    list(in_threads(lambda one: one.fit(clips, ClipSet([]), context), others, 4))
    for other in others:
        assert_same_weights(other, alone)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of other C libraries not known")
def test_memory_is_not_given_back_between_epochs() -> None:
    """A page that is given anew each time costs about as much as what is computed on it."""
    program = """
import resource
import numpy as np
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn, CnnConfig
from asd.features.clipset import ClipSet

pages = []
def on_epoch(*_):
    pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

clips = np.random.default_rng(0).random((13, 128, 313), dtype=np.float32)
nobody = ClipSet([])
Cnn(CnnConfig(epochs=6), 0).fit(ClipSet(list(clips)), nobody, FitContext(on_epoch, jobs=1))
print(pages[-1] - pages[-2])
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert int(done.stdout) < 500, "pages of 4 kB; nearly eight thousand if it is"


def test_a_log_is_told_of_no_epoch_before_its_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "asd")
    build().fit(ClipSet(make_clips(9, 0)), ClipSet([]))
    assert not [line for line in caplog.messages if "epoch" in line or " of 5" in line]


def test_more_epochs_go_on_from_a_finished_training(tmp_path: Path) -> None:
    clips, context = ClipSet(make_clips(6, 0)), FitContext(checkpoint_dir=tmp_path)
    first, more, whole = build(epochs=2), build(epochs=4), build(epochs=4)
    first.fit(clips, ClipSet([]), context)
    more.fit(clips, ClipSet([]), context)
    whole.fit(clips, ClipSet([]))
    assert_same_weights(more, whole)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    clips, context = make_clips(6, 0), FitContext(checkpoint_dir=tmp_path)
    build(epochs=1).fit(ClipSet(clips), ClipSet([]), context)
    for other, data, named in (
        (build(batch_size=2), clips, r"detector\.batch_size"),
        (build(), make_clips(6, 5), "another data"),
    ):
        with pytest.raises(DetectorError, match=f"{CHECKPOINT_NAME}: .*{named}.*delete"):
            other.fit(ClipSet(data), ClipSet([]), context)


def test_a_checkpoint_that_cannot_be_written_ends_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    context = FitContext(checkpoint_dir=tmp_path / "file" / "checkpoints")
    detector = build()
    detector.fit(ClipSet(make_clips(4, 0)), ClipSet([]), context)
    assert detector.score(ClipSet(make_clips(2, 1))).shape == (2,)
    assert "the checkpoint is not kept" in caplog.text


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_for_which_there_is_no_room_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = build()
    with largest_file(2000):
        detector.fit(ClipSet(make_clips(4, 0)), ClipSet([]), FitContext(checkpoint_dir=tmp_path))
    assert f"not kept ({tmp_path / CHECKPOINT_NAME}: cannot be written" in caplog.text


def test_weights_for_which_there_is_no_room_are_what_the_system_says(tmp_path: Path) -> None:
    detector = build()
    detector.fit(ClipSet(make_clips(4, 0)), ClipSet([]), FitContext())
    with largest_file(2000), pytest.raises(OSError, match="File too large"):
        detector.save(tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00not json")
    with pytest.raises(DetectorError, match=r"not a checkpoint .*delete it to start anew"):
        build().fit(ClipSet(make_clips(4, 0)), ClipSet([]), FitContext(checkpoint_dir=tmp_path))


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.sampled_from([1, 5, 9, 400, 3000, 7000]), min_size=1, max_size=60),
    most=st.integers(1, 9),
)
def test_chunks_hold_each_clip_once_and_little_at_a_time(lengths: list[int], most: int) -> None:
    clips = [np.full((1, n), i, np.float32) for i, n in enumerate(lengths)]
    order = np.random.default_rng(0).permutation(len(clips)).tolist()
    seen: list[int] = []
    for chunk in chunks(ClipSet(clips), order, most, torch.device("cpu")):
        assert 1 <= len(chunk) <= most
        assert len(chunk) == 1 or len(chunk) * chunk.shape[2] <= 2500
        seen += [int(clip[0, 0]) for clip in chunk]
        assert all(lengths[int(clip[0, 0])] == chunk.shape[2] for clip in chunk)
    assert sorted(seen) == sorted(order)
