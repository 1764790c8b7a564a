"""What holds the parts together, read from the source: who fits, who tracks, how large it is."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import group_of

PROJECT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "sklearn", "mlflow", "matplotlib", "librosa", "pandas", "scipy", "av", "optuna"}
MOST_PARAMETERS = 8
MOST_LINES = 120
"""Of a step: what is not the verb itself has its place in another layer."""


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def fits_a_detector(call: ast.Call) -> bool:
    """Whether a call is ``<detector>.fit(train, valid, ...)``.

    Estimators of scikit-learn are fitted on one array. What is fitted by a class method, as
    ``Pipeline.fit``, or told a recipe, is no detector.
    """
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "fit"):
        return False
    receiver = call.func.value
    of_a_class = isinstance(receiver, ast.Name) and receiver.id[0].isupper()
    told_a_recipe = bool(call.args) and ast.unparse(call.args[0]).endswith("recipe")
    several = len(call.args) + len(call.keywords) > 1
    return several and not of_a_class and not told_a_recipe


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("detector.fit(train, valid, context)", True),
        ("make(model).fit(features, ClipSet([]))", True),
        ("Knn(config).fit(train=clips, valid=others)", True),
        ("Pipeline.fit(full, train, valid, store)", False),
        ("self.validation.fit(recipe, store, context)", False),
        ("train.fit(winner.recipe, dataset)", False),
        ("mixture.fit(points)", False),
    ],
)
def test_the_fit_of_a_detector_is_told_from_other_fits(line: str, expected: bool) -> None:
    [statement] = ast.parse(line).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert fits_a_detector(statement.value) is expected


@pytest.mark.parametrize("path", sources("asd", "entrypoints", "benchmarks"), ids=name_of)
def test_only_the_pipeline_fits_detectors(path: Path) -> None:
    calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    fits = [f"line {call.lineno}" for call in calls if fits_a_detector(call)]
    # Contract tests, shipped for other packages, fit a detector to see what it promises.
    if not name_of(path).startswith(("asd/pipeline/", "asd/testing/")):
        assert fits == []


def test_the_pipeline_does_fit_detectors() -> None:
    calls = [
        node
        for path in sources("asd/pipeline")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
    ]
    assert any(map(fits_a_detector, calls))


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("library", "layers"),
    [("mlflow", ("asd/tracking/",)), ("optuna", ("asd/search/", "asd/tracking/"))],
)
def test_tracking_and_search_keep_their_libraries_to_themselves(
    library: str, layers: tuple[str, ...]
) -> None:
    users = {name_of(path) for path in sources("asd", "entrypoints") if library in imported(path)}
    assert users, "somebody uses it"
    assert {user for user in users if not user.startswith(layers)} == set()


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters of a function; `self` and `cls` do not count."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    own = names[0] in ("self", "cls") if names else False
    return len(names) - own + bool(given.vararg) + bool(given.kwarg)


@pytest.mark.parametrize("path", sources("asd", "entrypoints"), ids=name_of)
def test_no_function_takes_more_than_eight_parameters(path: Path) -> None:
    functions = (
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert [f.name for f in functions if n_parameters(f) > MOST_PARAMETERS] == []


@pytest.mark.parametrize("path", sources("asd/steps"), ids=name_of)
def test_a_step_is_its_verb_alone(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


STARTS = {
    "import asd": "import asd",
    "import of the command": "import asd.cli.main",
    "list of detectors": "import asd.detectors; assert asd.detectors.names()",
    "list of front ends": "import asd.features; assert asd.features.names()",
    **{
        f"help of {path.stem}": (
            f"import runpy, sys; sys.argv[1:] = ['--help']; "
            f"runpy.run_module('entrypoints.{path.stem}', run_name='__main__')"
        )
        for path in sources("entrypoints")
        if not path.stem.startswith("_")
    },
}
STARTED = f"""
import json, sys
loaded = {{}}
for name, code in {{**{STARTS!r}, "judging": "import asd.pipeline.judged"}}.items():
    exec(code)
    loaded[name] = sorted({HEAVY!r} & set(sys.modules))
print("loaded:", json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Large libraries that are there after each of these, one after the other in one process."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout.rpartition("loaded:")[2])
    return found


@pytest.mark.parametrize("name", STARTS)
def test_help_and_lists_load_no_large_library(name: str, loaded: dict[str, list[str]]) -> None:
    assert loaded[name] == []


def test_a_process_for_score_loads_only_what_judges(loaded: dict[str, list[str]]) -> None:
    assert set(loaded["judging"]) <= {"av", "scipy", "torch"}


def test_processes_share_the_tests_by_file_and_what_is_slow_to_make_by_group() -> None:
    a_user, served = "tests/e2e/test_mlflow_run.py::a", "tests/e2e/serving/test_code.py::b[c::d]"
    assert group_of(a_user) == group_of(served)
    assert group_of("tests/data/test_cut.py::a") == "tests/data/test_cut.py"
