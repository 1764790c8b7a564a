"""The files at the top of the project say the same as the code does."""

import ast
import importlib
import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asd import detectors
from asd.cli import reference
from asd.config import Config

PROJECT = Path(__file__).resolve().parents[2]
ENTRIES: dict[str, dict[str, Any]] = yaml.safe_load(
    (PROJECT / "MLproject").read_text(encoding="utf-8")
)["entry_points"]
SOURCES = sorted(
    path for folder in ("asd", "entrypoints") for path in (PROJECT / folder).rglob("*.py")
)

RUNNING_DATA = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
UNSAFE = {
    "yaml.load",
    "yaml.unsafe_load",
    "joblib.load",
    "joblib.dump",
    "eval",
    "exec",
    "os.system",
}
ONLY_WITH = {"torch.load": "weights_only=True"}


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def module_of(entry: str) -> str:
    """The module that the entry point's command runs."""
    found = re.match(r"python -m (entrypoints\.\w+)", ENTRIES[entry]["command"])
    assert found, ENTRIES[entry]["command"]
    return found[1]


def config_of(entry: str) -> type[Config]:
    """The config class that the entry point's file hands to the launcher."""
    module = importlib.import_module(module_of(entry))
    [found] = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Config)
    )
    return found


def test_every_entry_point_has_its_file_and_every_file_its_entry_point() -> None:
    files = {f"entrypoints.{path.stem}" for path in (PROJECT / "entrypoints").glob("[!_]*.py")}
    assert files == {module_of(entry) for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_point_hands_each_parameter_to_its_config(entry: str) -> None:
    parameters: dict[str, dict[str, str]] = ENTRIES[entry].get("parameters", {})
    words = ENTRIES[entry]["command"].split()
    assert words[3:] == [f"--{name}={{{name}}}" for name in parameters]
    fields = config_of(entry).model_fields
    assert set(parameters) - {"config"} <= set(fields)
    assert "config" in parameters or not fields
    for name, parameter in parameters.items():
        assert parameter["type"] == "string", "a `path` would have to exist in the caller's folder"
        required = name in fields and fields[name].is_required()
        # An empty default means "not given": the default itself has one place, the config class.
        assert parameter.get("default") == (None if required else "")


@pytest.mark.parametrize("entry", ENTRIES)
def test_help_names_the_command_that_users_type(
    entry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["anything", "--help"])
    path = PROJECT / module_of(entry).replace(".", "/")
    runpy.run_path(f"{path}.py", run_name="__main__")
    usage = f"usage: mlflow run . -e {entry} [-P key=value ...]"
    assert capsys.readouterr().out.startswith(usage)


def test_what_must_be_given_is_declared() -> None:
    for entry, declared in ENTRIES.items():
        required = {
            name for name, field in config_of(entry).model_fields.items() if field.is_required()
        }
        assert required <= set(declared.get("parameters", {}))


def test_all_three_files_pin_the_same_releases() -> None:
    pins = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    virtualenv = yaml.safe_load(read("python_env.yaml"))
    conda = yaml.safe_load(read("conda.yaml"))
    [by_pip] = (part["pip"] for part in conda["dependencies"] if isinstance(part, dict))
    assert virtualenv["dependencies"] == pins
    assert by_pip == pins


def imported(path: Path, at_once: bool = False) -> set[str]:
    """Top-level modules that a file imports anywhere in it, or as soon as it is itself."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_whatever_is_imported_is_declared() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    # What an extra brings is imported where it is used, and missed in one line.
    of_extras = {
        canonicalize_name(Requirement(line).name)
        for line in project["optional-dependencies"]["scale"]
    }
    providers = importlib.metadata.packages_distributions()
    # Whoever inherits the tests of `asd.testing` has pytest.
    own = {"asd", "entrypoints", "pytest"}
    foreign = set().union(*map(imported, SOURCES)) - set(sys.stdlib_module_names) - own
    assert {"numpy", "sklearn", "yaml"} <= foreign
    needed = set().union(*(imported(path, at_once=True) for path in SOURCES))
    for name in sorted(foreign):
        distributions = {canonicalize_name(found) for found in providers.get(name, [name])}
        there = declared if name in needed else declared | of_extras
        assert distributions & there, f"{name} is imported, and no dependency provides it"


def test_only_the_package_is_installed() -> None:
    """PyPI has a package named `entrypoints`, which ours would replace."""
    [kept] = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]["find"].items()
    assert kept == ("include", ["asd*"])


def test_mlflow_takes_the_python_that_it_runs_under() -> None:
    assert "python" not in yaml.safe_load(read("python_env.yaml"))
    assert yaml.safe_load(read("MLproject"))["python_env"] == "python_env.yaml"


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_readmes_know_every_step_and_guides_every_detector(readme: str) -> None:
    assert set(ENTRIES) - words_of(readme) == set()
    guide = read(f"docs/{readme.replace('README', 'guide')}")
    heads = " ".join(re.findall(r"^\| (.*?) \|", guide, flags=re.MULTILINE))
    assert set(detectors.names()) - set(re.findall(r"`(\w+)`", heads)) == set()


@pytest.mark.parametrize(
    "document", ["README.md", "README.ja.md", "docs/guide.md", "docs/guide.ja.md"]
)
def test_every_command_in_the_documents_names_real_steps_and_fields(document: str) -> None:
    commands = re.findall(r"mlflow run \. [^`\n]*", read(document))
    assert commands
    for command in commands:
        entry = (re.findall(r" -e (\w+)", command) or ["main"])[0]
        config = config_of(entry)
        for key in re.findall(r" -P ([\w.]+)=", command):
            free = key.startswith("detector.")
            assert free or key == "config" or key in config.keys(), command  # noqa: SIM118


def words_of(document: str) -> set[str]:
    return set(re.findall(r"[\w-]+", read(document)))


@pytest.mark.parametrize("name", ["README", "docs/guide"])
def test_both_languages_hold_the_same_facts(name: str) -> None:
    """As many sections and rows, the same words in code, the same numbers."""
    english, japanese = read(f"{name}.md"), read(f"{name}.ja.md")
    for pattern in (r"^#+ ", r"^\|"):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, japanese)]
        assert counts[0] == counts[1], pattern
    for pattern in (r"`[^`\n]+`", r"(?<![\w.])\d+(?:[.,]\d+)?"):
        assert set(re.findall(pattern, english)) == set(re.findall(pattern, japanese))


def test_the_reference_is_that_of_the_configs() -> None:
    assert read("docs/reference.md") == reference.page(), "make reference"


def test_make_run_is_mlflow_run_in_the_environment() -> None:
    words = [
        "make",
        "--no-print-directory",
        "-n",
        "run",
        "STEP=train",
        "P=model=knn data=data/demo",
    ]
    told = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    last = told.splitlines()[-1]
    assert last.endswith("mlflow run . --env-manager local -e train -P model=knn -P data=data/demo")


def test_continuous_integration_gives_the_command_of_the_readme() -> None:
    assert "make test" in read(".ci/run").splitlines()
    assert re.search(r"^make test\b", read("README.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_nothing_runs_code_that_came_as_data(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not RUNNING_DATA & {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in RUNNING_DATA:
            assert {name.name for name in node.names} == {"UnpicklingError"}
        elif isinstance(node, ast.Call):
            name, words = ast.unparse(node.func), set(map(ast.unparse, node.keywords))
            assert name not in UNSAFE
            assert ONLY_WITH.get(name) in {None, *words}
            assert not {"allow_pickle=True", "shell=True"} & words
