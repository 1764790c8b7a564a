"""What commands need and would do anew each, done once by the process that they are forked from."""

import pkgutil
from importlib import import_module

import matplotlib.pyplot  # noqa: F401
import mlflow.cli
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import sklearn.neighbors  # noqa: F401
from mlflow.utils import requirements_utils
from sqlalchemy.orm import configure_mappers

import asd

_APART = {"asd.tracking._fresh_process", "asd.tracking.serving_model"}

for _module in pkgutil.walk_packages(asd.__path__, "asd."):
    if _module.name not in _APART and not _module.name.startswith("asd.testing"):
        import_module(_module.name)
requirements_utils._init_modules_to_packages_map()  # type: ignore[no-untyped-call]
configure_mappers()
