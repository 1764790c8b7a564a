"""The trials of a study: as many as were asked for, each with a number of its own."""

from typing import cast

import optuna
import pytest
from optuna.trial import FrozenTrial

from asd.search.heartbeat import Heartbeat
from asd.search.queue import NUMBER, Queue

TOTAL = 4


class Register:
    """Who is alive, as the test wants it."""

    def __init__(self, name: str, gone: set[str]) -> None:
        self.name = name
        self._gone = gone

    def dead(self, name: str) -> bool:
        return name in self._gone


class Room:
    """A study at which several processes work."""

    def __init__(self) -> None:
        storage = optuna.storages.InMemoryStorage()
        self.study = optuna.create_study(storage=storage)
        self.gone: set[str] = set()
        self.queues = {
            name: Queue(self.study, storage, cast(Heartbeat, Register(name, self.gone)), TOTAL)
            for name in ("one", "two")
        }

    def numbers(self) -> list[int]:
        return sorted(trial.user_attrs[NUMBER] for trial in self.queues["two"].finished())

    def work_alone(self, name: str) -> None:
        queue = self.queues[name]
        while queue.place_left():
            trial = self.study.ask()
            if queue.begin(trial) is None:
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                self.study.tell(trial, 1.0)


@pytest.fixture
def room() -> Room:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return Room()


def test_a_trial_that_begins_while_another_is_found_lost_has_a_number_of_its_own(
    room: Room,
) -> None:
    lost, beginning = room.study.ask(), room.study.ask()
    assert room.queues["one"].begin(lost) == 0
    room.gone.add("one")
    assert room.queues["two"].give_back_lost()
    assert room.queues["two"].begin(beginning) == 1
    room.study.tell(beginning, 1.0)
    room.work_alone("two")
    assert room.numbers() == [0, 1, 2, 3]


def test_a_trial_lost_before_it_had_a_number_is_run_again_under_it(room: Room) -> None:
    first, lost = room.study.ask(), room.study.ask()
    room.queues["two"].begin(first)
    room.study.tell(first, 1.0)
    room.gone.add(f"trial {lost.number}")
    assert room.queues["two"].give_back_lost()
    room.work_alone("two")
    assert room.numbers() == [0, 1, 2, 3]


def test_one_too_many_is_dropped_even_when_its_process_dies(room: Room) -> None:
    room.work_alone("two")
    late = room.study.ask()
    room.gone.add(f"trial {late.number}")
    assert room.queues["two"].give_back_lost()
    assert room.queues["two"].left() == 0
    assert not room.queues["two"].place_left()
    waiting: list[FrozenTrial] = [
        trial for trial in room.study.trials if trial.state == optuna.trial.TrialState.WAITING
    ]
    assert not waiting
