"""Where the work goes: to processes of this machine, or to a cluster where one is asked for."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from asd import cluster
from asd.cli import launch
from asd.config.base import Config
from asd.config.cli import load
from asd.config.steps import AugmentConfig, MainConfig, PreprocessConfig, SweepConfig, TrainConfig
from asd.data.made import mark_of
from asd.errors import ConfigError
from asd.parallel import jobs_for, parallel_map

DASK = {"backend": "dask", "scheduler": "tcp://head:8786"}


def double(number: int) -> int:
    return 2 * number


def test_what_is_missing_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'asd-platform\[scale\]'"):
        cluster.connected("tcp://head:8786").__enter__()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--backend", "dask"), "needs the scheduler's address"),
        (("--scheduler", "tcp://head:8786"), "is for backend=dask"),
        (("--backend", "spark"), "backend='spark'"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(words: Sequence[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load(TrainConfig, words)


def test_the_workers_say_how_many_trials_there_are_at_a_time() -> None:
    with pytest.raises(ConfigError, match="jobs=2 is for backend=loky"):
        load(SweepConfig, ("--backend", "dask", "--scheduler", "tcp://head:8786", "--jobs", "2"))


@pytest.mark.parametrize(
    "config",
    [
        PreprocessConfig(source="x"),
        AugmentConfig(),
        MainConfig(),
        TrainConfig(),
    ],
    ids=lambda config: type(config).__name__,
)
def test_where_it_was_done_is_no_part_of_what_was_done(config: Config) -> None:
    spread = config.model_copy(update=DASK)
    assert spread.flat() == config.flat()
    assert mark_of(spread, [], []) == mark_of(config, [], [])


def test_results_of_a_cluster_come_in_the_order_of_the_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def backwards(
        function: object, items: Sequence[int], desc: str, at_once: int
    ) -> Iterator[tuple[int, list[int]]]:
        del function
        assert (desc, at_once) == ("double", 3)
        for start in reversed(range(0, len(items), at_once)):
            yield start, [double(item) for item in items[start : start + at_once]]

    monkeypatch.setattr(cluster, "is_connected", lambda: True)
    monkeypatch.setattr(cluster, "results", backwards)
    assert parallel_map(double, range(10), "double", at_once=3) == [2 * n for n in range(10)]


def test_little_work_goes_to_a_cluster_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs_for([Path(__file__)]) == 1
    monkeypatch.setattr(cluster, "is_connected", lambda: True)
    assert jobs_for([Path(__file__)]) is None


def test_the_launcher_connects_where_dask_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cluster, "connected", asked.append)
    launch._spread(TrainConfig())
    launch._spread(TrainConfig.model_validate(DASK))
    assert asked == ["tcp://head:8786"]


def test_a_worker_stays_in_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path.cwd())  # put back at the end
    (tmp_path / "a").touch()
    assert cluster._part([Path("a"), Path("b")], tmp_path, Path.exists) == [True, False]
