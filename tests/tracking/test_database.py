"""A database file is whole, or made anew; one that holds anything is never touched."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.db.base_sql_model import Base

from asd.tracking import database
from asd.tracking.database import database_of, make_whole

LATEST = "latest"


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The databases that are migrated; MLflow takes seconds for it, here it is one table."""
    calls: list[Path] = []

    def migrate(path: Path) -> None:
        calls.append(path)
        script(path, "create table whole (a)")

    monkeypatch.setattr(database, "_migrate", migrate)
    monkeypatch.setattr(database, "SETTLED_S", 0.0)
    monkeypatch.setattr(database._migrations, "_get_latest_schema_revision", lambda: LATEST)
    return calls


def script(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master")}


HALF = [
    (),
    ("create table experiments (experiment_id)",),
    ("create table experiments (experiment_id)", "insert into experiments values (0)"),
    ("create table runs (a)", "create table _alembic_tmp_runs (a)"),
    ("create table alembic_version (version_num)", "insert into alembic_version values ('x')"),
]


@pytest.mark.parametrize("statements", HALF)
def test_a_half_made_database_is_made_anew(
    tmp_path: Path, made: list[Path], statements: tuple[str, ...]
) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    script(path, *statements)
    (tmp_path / "mlflow.db-journal").write_bytes(b"")
    make_whole(path)
    assert tables(path) == {"whole"}
    assert made[0].name.startswith(".partial-")
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]


IN_USE = [
    ("create table runs (a)", "insert into runs values (1)"),
    ("create table experiments (experiment_id)", "insert into experiments values (7)"),
    ("create table customers (a)",),
]


@pytest.mark.parametrize("statements", IN_USE)
def test_a_database_that_holds_anything_is_left_alone(
    tmp_path: Path, made: list[Path], statements: tuple[str, ...]
) -> None:
    path = tmp_path / "mlflow.db"
    script(path, *statements)
    before = path.read_bytes()
    make_whole(path)
    assert path.read_bytes() == before
    assert made == []


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, made: list[Path]) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("a letter, longer than the header of a database would be" * 10)
    make_whole(path)
    assert made == []
    assert path.read_text().startswith("a letter")


def test_a_whole_one_is_left_alone(tmp_path: Path, made: list[Path]) -> None:
    path = tmp_path / "mlflow.db"
    every = [f'create table "{name}" (a)' for name in Base.metadata.tables]
    every[0:0] = ["create table alembic_version (version_num)"]
    known = [line for line in every if '"experiments"' not in line]
    known += ["create table experiments (experiment_id)"]
    script(path, *known, f"insert into alembic_version values ('{LATEST}')")
    make_whole(path)
    assert made == []


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///mlflow.db", Path("mlflow.db")),
        ("sqlite:////srv/mlflow.db", Path("/srv/mlflow.db")),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("http://tracking:5000", None),
        ("postgresql://asd@db/mlflow", None),
    ],
)
def test_the_file_behind_an_address(uri: str, expected: Path | None) -> None:
    assert database_of(uri) == expected
