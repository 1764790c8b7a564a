"""What a step prints as the next command can be pasted, and runs."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from asd.cli.main import STEPS
from asd.config.cli import PROGRAM, load
from asd.config.steps import MainConfig, PreprocessConfig
from asd.steps import main, preprocess
from asd.tracking import commands

MOST = 6
"""Steps in a row: preprocess, train, evaluate, promote and what follows."""


def printed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Every command among the lines that steps have said."""
    lines = [record.getMessage() for record in caplog.records]
    found = [re.search(r"(?:next|see the runs|serve it|score a file): +(.*)", x) for x in lines]
    return [match[1] for match in found if match]


def without_preparation(command: str) -> list[str]:
    """The words of a command, behind what the shell is told first."""
    return shlex.split(command.rpartition("&& ")[2])


def obey(command: str) -> bool:
    """Do in this process what a printed ``mlflow run`` would; false for what is no step."""
    words = without_preparation(command)
    if words[:2] != ["mlflow", "run"]:
        assert words[:2] in (["mlflow", "models"], ["mlflow", "ui"])
        return False
    assert words[2:6] == [".", "-e", words[4], "--env-manager"]
    assert words[6] == "local"
    module, config = STEPS[words[4]]
    assert set(words[7::2]) <= {"-P"}
    pairs = [f"--{pair}" for pair in words[8::2]]
    importlib.import_module(f"asd.steps.{module}").run(load(config, pairs))
    return True


def test_each_step_says_a_next_one_that_runs(
    recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "asd")
    odd = recordings.rename(recordings.parent / "it's モーター 1")
    wish = {"source": str(odd), "output": "data/a b's", "clip_seconds": 1}
    preprocess.run(PreprocessConfig.parse(wish))
    done: list[str] = []
    for _ in range(MOST):
        *_, last = printed(caplog)
        if done and done[-1] == last:
            break
        done.append(last)
        if not obey(last):
            break
    entries = [without_preparation(command)[4] for command in done[:-1]]
    assert entries[:2] == ["train", "evaluate"]
    assert done[-1].endswith("-p 5001"), done


def test_main_says_commands_that_run(recordings: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "asd")
    words = {"source": str(recordings), "clip_seconds": 1, "sample_rate": 8000, "models": "knn"}
    main.run(MainConfig.parse(words))
    said = printed(caplog)
    assert len(said) == 3
    caplog.clear()
    assert [obey(command) for command in said] == [False, False, True]
    assert Path("scores/files.csv").is_file()


def test_the_shell_understands_what_is_printed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder, with signs that a shell would take for its own."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    place = workspace / "a b"
    place.mkdir()
    monkeypatch.chdir(place)
    command = commands.step_command("score", source="it's $HOME <a>.wav", name="", machine=None)
    assert command.startswith(f"cd '{place}' && export MLFLOW_TRACKING_URI=")
    (place / "bin").mkdir()
    (place / "bin" / "mlflow").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (place / "bin" / "mlflow").chmod(0o755)
    told = command.replace("mlflow run", f"'{place}/bin/mlflow' run")
    ran = subprocess.run(
        ["sh", "-c", told], cwd=workspace, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        "run", ".", "-e", "score", "--env-manager", "local", "-P", "source=it's $HOME <a>.wav",
    ]  # fmt: skip


def test_an_environment_that_is_active_is_not_activated_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert commands.ui_command() == "mlflow ui --port 5000"
    monkeypatch.setenv("VIRTUAL_ENV", os.devnull)
    if sys.prefix != sys.base_prefix:
        assert commands.ui_command().startswith(". ")
    monkeypatch.setenv(PROGRAM, "asd")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert commands.step_command("rollback", name="motor") == "asd rollback --name motor"
