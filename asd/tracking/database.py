"""A database file for MLflow appears whole or not at all.

MLflow itself migrates a new database in place, some seconds long. Killed in between, or begun by
several commands at once, it leaves tables that no later start can do anything with.
"""

import logging
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from mlflow.store.db import utils
from mlflow.store.db.base_sql_model import Base
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from asd.files import atomic_path

SETTLED_S = 10.0
"""Seconds in which nobody touches a half-made database that nobody is making any more."""

_POLL_S = 0.5
_IN_USE = {
    "runs": "select 1 from runs limit 1",
    "registered_models": "select 1 from registered_models limit 1",
    # Migrations make the experiment 0 themselves.
    "experiments": "select 1 from experiments where experiment_id != 0 limit 1",
}
"""What gives a row as soon as a database is in use, by the table that it looks at."""
_migrations: Any = utils

logger = logging.getLogger(__name__)


def database_of(uri: str) -> Path | None:
    """The file behind the address of a store; None for a server, or another kind of database."""
    if not uri.startswith("sqlite:"):
        return None
    try:
        name = make_url(uri).database
    except ArgumentError:
        return None
    return Path(name) if name and name != ":memory:" else None


def make_whole(database: Path) -> None:
    """Make a database, or make one anew that was left half made; a whole one is left alone.

    One that holds anything is never touched.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    if database.exists() and not _is_half_made(database):
        return
    if database.exists():
        logger.info("%s: left half made; it is made anew unless somebody is at it", database)
        _wait_until_settled(database)
        if not _is_half_made(database):
            return
    with atomic_path(database) as partial:
        partial.unlink()
        _migrate(partial)
        for suffix in ("-journal", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)


def _migrate(database: Path) -> None:
    engine = _migrations.create_sqlalchemy_engine(f"sqlite:///{database.absolute()}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's migrations have their own
            _migrations._initialize_tables(engine)
    finally:
        engine.dispose()


def _is_half_made(database: Path) -> bool:
    """Whether a file is a database of MLflow's whose migrations were cut short, and holds nothing.

    One of somebody else's has other tables, and one of an earlier MLflow's, which waits for `mlflow
    db upgrade`, mostly runs.
    """
    known = {*Base.metadata.tables, "alembic_version", "sqlite_sequence"}
    try:
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute("select name from sqlite_master where type = 'table'")
            tables = {str(name) for (name,) in found}
            if tables and not tables & known:
                return False
            in_use = (query for table, query in _IN_USE.items() if table in tables)
            if any(connection.execute(query).fetchone() for query in in_use):
                return False
            version = _version(connection) if "alembic_version" in tables else None
            latest = str(_migrations._get_latest_schema_revision())
            return not (set(Base.metadata.tables) <= tables and version == latest)
    except sqlite3.Error:
        return False


def _version(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("select version_num from alembic_version").fetchone()
    return None if row is None else str(row[0])


def _wait_until_settled(database: Path) -> None:
    """Wait until nobody has written for `SETTLED_S`: MLflow may be making it at this moment."""
    seen, since = _state(database), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        time.sleep(_POLL_S)
        if (now := _state(database)) != seen:
            seen, since = now, time.monotonic()


def _state(database: Path) -> list[tuple[int, int]]:
    files = [database, database.with_name(f"{database.name}-journal")]
    return [(f.stat().st_size, f.stat().st_mtime_ns) if f.exists() else (0, 0) for f in files]
