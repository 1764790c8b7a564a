"""Every command in the documents runs as it stands, in order, in one project."""

import importlib
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from asd.cli import main as program
from asd.cli.main import STEPS, app
from asd.config.cli import load
from asd.config.steps import PreprocessConfig
from asd.detectors.cnn import ConvAutoencoder
from asd.steps import preprocess
from tests.media import write_media
from tests.steps.conftest import RATE, hum

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ("README", "docs/guide", "docs/serving")
NOT_HERE = {
    "make demo": "installs; tests/e2e/test_mlflow_run.py gives main to mlflow run",
    "make test": "is what runs this",
    "make run": "installs; tests/e2e/test_project_files.py looks at what it calls",
    "source .venv/bin/activate": "belongs to a shell",
    "mlflow models serve": "serves until it is stopped; tests/e2e/serving does that",
    "asd ask": "asks a server; tests/e2e/serving has one",
    "ASD_WEBHOOK_SECRET=": "serves until it is stopped; tests/tracking/test_follow.py",
    "audio=": "is of curl's; tests/e2e/serving sends the same",
    "printf": "is of curl's; tests/e2e/serving sends the same",
    "    curl": "asks a server; tests/e2e/serving sends the same",
    "mlflow models generate-dockerfile": "takes a registered champion of that name, and docker",
    "docker": "is not everywhere",
    "mlflow run . --env-manager local -e rollback": (
        "takes two promotions; tests/e2e/test_rollback.py gives this line"
    ),
    "mlflow run . --env-manager local -P config=configs/experiment.yaml": (
        "trains networks for minutes; tests/detectors/test_original_presets.py has its settings"
    ),
}
"""How commands begin that are not run here, and why."""


def commands(page: str) -> list[str]:
    """The lines of a document's shell blocks, without their comments."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def is_run_here(command: str) -> bool:
    return not any(command.startswith(start) for start in NOT_HERE)


def run(command: str) -> None:
    """Do in this process what the shell would."""
    words = shlex.split(command)
    if words[:5] == ["mlflow", "run", ".", "--env-manager", "local"]:
        entry = words[6] if words[5] == "-e" else "main"
        pairs = words[7:] if words[5] == "-e" else words[5:]
        assert set(pairs[::2]) <= {"-P"}
        module, config = STEPS[entry]
        given = load(config, [f"--{pair}" for pair in pairs[1::2]])
        importlib.import_module(f"asd.steps.{module}").run(given)
    elif words[0] == "asd":
        done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    else:
        assert words[:2] == ["python", "-m"], f"not known how to run: {command}"
        path = PROJECT / f"{words[2].replace('.', '/')}.py"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [words[2], *words[3:]])
            runpy.run_path(str(path), run_name="__main__")


def sounds(folder: Path, count: int, seconds: float = 10, knock: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(folder)))
    for index in range(count):
        samples = hum(rng, seconds, knock)
        soundfile.write(folder / f"{folder.name}-{index}.wav", samples, RATE)


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the documents take for given: recordings of a pump and a fan, sounds, settings."""
    sounds(Path("recordings/normal"), 6)
    sounds(Path("recordings/abnormal"), 2, knock=True)
    for path in Path("recordings").rglob("*.wav"):
        video = Path("videos", path.parent.name, f"{path.stem}.mp4")
        write_media(video, [soundfile.read(path, dtype="float32")[0]], RATE)
    for name in ("sounds", "background-sounds", "new-recordings"):
        sounds(Path(name), 2, seconds=3 if name != "new-recordings" else 12)
    for name in ("pump-2", "fan"):
        sounds(Path(f"{name}/normal"), 6)
        sounds(Path(f"{name}/abnormal"), 2, knock=True)
        wish = {"source": name, "output": f"data/{name}", "clip_seconds": 10}
        preprocess.run(PreprocessConfig.parse(wish))
    machine = Path("dcase2023t2/fan")
    for side, label, count in (
        ("train", "normal", 8),
        ("test", "normal", 3),
        ("test", "anomaly", 3),
    ):
        (machine / side).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            name = f"section_00_source_{side}_{label}_{index:04d}_noAttribute.wav"
            samples = hum(np.random.default_rng(index), 10, knock=label == "anomaly")
            soundfile.write(machine / side / name, samples, RATE)
    torch.save(ConvAutoencoder(2).state_dict(), "best_autoencoder.pth")
    Path("my-settings.yaml").write_text("model: knn\ndetector: {k: 3}\n", encoding="utf-8")
    shutil.copytree(PROJECT / "configs", "configs")

    def launch(module: str, config: Any, words: list[str], level: int) -> None:
        importlib.import_module(f"asd.steps.{module}").run(load(config, words))

    # The launcher takes over logging and signals of its process, which is that of other tests.
    monkeypatch.setattr(program, "launch", launch)
    return workspace


def test_every_command_in_the_documents_runs(project: Path) -> None:
    given = [command for page in PAGES for command in commands(f"{page}.md")]
    for command in filter(is_run_here, given):
        try:
            run(command)
        except Exception as error:
            raise AssertionError(f"{command}: {error}") from error
    assert len(given) > 30


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_give_the_same_commands(page: str) -> None:
    assert commands(f"{page}.md") == commands(f"{page}.ja.md")


def test_what_is_not_run_stands_in_the_documents() -> None:
    given = [command for page in PAGES for command in commands(f"{page}.md")]
    for start in NOT_HERE:
        assert any(command.startswith(start) for command in given), start
