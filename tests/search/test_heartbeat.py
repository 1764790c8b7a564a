"""Who is taken for dead, and when."""

import subprocess
import sys
import time

import optuna
import pytest

from asd.search import heartbeat as heartbeat
from asd.search.heartbeat import Heartbeat


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL_S", 0.05)
    monkeypatch.setattr(heartbeat, "STALE_S", 0.4)


def elsewhere(name: str) -> str:
    """The same process on a machine of which only its signs are known."""
    return "elsewhere/" + name.partition("/")[2]


def test_who_gives_signs_of_life_is_alive_and_who_leaves_is_not(study: optuna.Study) -> None:
    watcher = Heartbeat(study)
    with Heartbeat(study) as other:
        assert not watcher.dead(other.name)
    assert watcher.dead(other.name)


def test_who_leaves_may_still_have_a_run_to_end(study: optuna.Study) -> None:
    watcher = Heartbeat(study)
    with Heartbeat(study) as other:
        assert not watcher.killed(other.name)
    assert not watcher.killed(other.name), "its process goes on"
    far = elsewhere(other.name)
    study.set_user_attr(f"alive:{far}", "gone")
    assert watcher.dead(far)
    assert not watcher.killed(far), "nobody here can tell"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    name = f"{other.name.partition('/')[0]}/{ended.pid}/0"
    study.set_user_attr(f"alive:{name}", "gone")
    assert watcher.killed(name)


def test_on_another_machine_silence_is_death(study: optuna.Study) -> None:
    watcher = Heartbeat(study)
    far = Heartbeat(study)
    far.name = elsewhere(far.name)
    with far:
        assert not watcher.dead(far.name)
        time.sleep(0.6)
        assert not watcher.dead(far.name), "its counter still moves"
    study.set_user_attr(f"alive:{far.name}", 7)
    assert not watcher.dead(far.name)
    time.sleep(0.6)
    assert watcher.dead(far.name)


def test_a_killed_process_of_this_machine_is_known_at_once(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "STALE_S", 1000.0)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    machine = Heartbeat(study).name.partition("/")[0]
    name = f"{machine}/{process.pid}/0"
    study.set_user_attr(f"alive:{name}", 1)
    watcher = Heartbeat(study)
    assert not watcher.dead(name)
    process.kill()
    deadline = time.monotonic() + 10
    while not watcher.dead(name):  # although nobody has waited for it yet
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()
    assert watcher.dead(name)


def test_nobody_takes_itself_for_dead(study: optuna.Study) -> None:
    me = Heartbeat(study)
    time.sleep(0.6)
    assert not me.dead(me.name)


def test_who_never_gave_a_sign_is_given_time(study: optuna.Study) -> None:
    watcher = Heartbeat(study)
    assert not watcher.dead("trial 3")
    time.sleep(0.6)
    assert watcher.dead("trial 3")
