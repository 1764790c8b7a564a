"""Where studies are kept: a journal file on this machine, or a database for many."""

import time
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from asd.errors import ConfigError, TrackingError
from asd.language import tr

STUDIES = Path(".cache/studies")
_STARTS = 3


def journal_path(study: str) -> Path:
    """The journal of a study that is kept on this machine."""
    return STUDIES / f"{study}.journal"


def shown(storage: str) -> str:
    """A storage without its password.

    Raises
    ------
    ConfigError
        It is no URL.

    Examples
    --------
    >>> shown("postgresql+psycopg2://asd:secret@db/sweeps")
    'postgresql+psycopg2://asd:***@db/sweeps'
    """
    try:
        return make_url(storage).render_as_string(hide_password=True) if storage else ""
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            tr("storage: not a database URL; write it as postgresql+psycopg2://user@host/database")
        ) from error


def check_secret(storage: str, logged: bool) -> None:
    """Refuse a password where whoever reads the run could read it.

    Parameters
    ----------
    storage : str
        URL of a database; empty for none.
    logged : bool
        Whether MLflow has logged the command line, as ``mlflow run`` does before a step begins.

    Raises
    ------
    ConfigError
        MLflow has logged a password.
    """
    if logged and storage and make_url(storage).password:
        raise ConfigError(
            tr(
                "storage={shown}: MLflow has logged the password with this run; "
                "change it, and give the address without one (PGPASSWORD or "
                "~/.pgpass hold it), or in a YAML file with config=",
                shown=shown(storage),
            )
        )


def open_storage(storage: str, study: str) -> BaseStorage:
    """Open a storage, and make it where it is not there yet.

    Parameters
    ----------
    storage : str
        URL of a database; empty for a journal file.
    study : str
        Gives the journal file its name.

    Raises
    ------
    ConfigError
        The URL is none.
    TrackingError
        The database cannot be reached.
    """
    if not storage:
        path = journal_path(study)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Absolute: the lock is a link to it, which would lead nowhere from its own folder, and a
        # link that leads nowhere is never taken for stale.
        return JournalStorage(JournalFileBackend(str(path.resolve())))
    address = shown(storage)
    for start in range(_STARTS):
        try:
            return RDBStorage(storage, engine_kwargs={"pool_pre_ping": True})
        except ImportError as error:
            raise TrackingError(
                tr(
                    "storage={address}: its driver is not installed ({error}); for "
                    "PostgreSQL `pip install psycopg2-binary`",
                    address=address,
                    error=error,
                )
            ) from error
        except (SQLAlchemyError, StorageInternalError) as error:
            # Of several first starts at once, all but one may find a half-made schema.
            if start + 1 == _STARTS:
                reason = str(error).splitlines()[0]
                raise TrackingError(
                    tr(
                        "storage={address}: cannot be used ({reason}); check host, user and "
                        "password",
                        address=address,
                        reason=reason,
                    )
                ) from error
        time.sleep(1 + start)
    raise AssertionError("not reached")
