"""What commands need and would do anew each, done once by the process that they are forked from."""

import pkgutil
from importlib import import_module

import matplotlib.pyplot
import mlflow.cli
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
from mlflow.utils import requirements_utils
from PIL import Image
from sqlalchemy.orm import configure_mappers

import asd

_APART = {"asd.tracking._fresh_process", "asd.tracking.serving_model"}
_LATE = (
    "alembic.command",
    "av.subtitles.stream",
    "git",
    "jinja2.ext",
    "librosa.core.audio",
    "librosa.effects",
    "matplotlib.backends.backend_agg",
    "mlflow.models.display_utils",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.utils.search_logged_model_utils",
    "pyarrow.pandas_compat",
    "sklearn.neighbors",
    "sqlalchemy.dialects.sqlite",
    "tabulate",
    "torch._dynamo",
)
"""What libraries import when they come to it."""

_OURS = {module.name for module in pkgutil.walk_packages(asd.__path__, "asd.")}
for _name in sorted(_OURS - _APART) + list(_LATE):
    import_module(_name)
requirements_utils._init_modules_to_packages_map()  # type: ignore[no-untyped-call]
Image.init()
configure_mappers()
matplotlib.pyplot.figure()
