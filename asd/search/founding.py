"""How a study begins: one process makes it, and all others see that it is for the same."""

import time
import uuid
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError

from asd.errors import ConfigError, TrackingError
from asd.language import tr
from asd.search.plan import Plan

_POLL_S = 1.0
_POLLS = 30


def open_study(plan: Plan, storage: optuna.storages.BaseStorage) -> tuple[optuna.Study, bool]:
    """Open the study of a plan.

    Returns
    -------
    optuna.Study
        Without a sampler of the plan's.
    bool
        Whether it was not there before: its maker is to call `found`.
    """
    where: dict[str, Any] = {"storage": storage, "study_name": plan.name}
    pruner = plan.make_pruner()
    try:
        return optuna.create_study(**where, directions=plan.directions, pruner=pruner), True
    except DuplicatedStudyError:
        return optuna.load_study(**where, pruner=pruner), False


def found(study: optuna.Study, plan: Plan) -> None:
    """Write down what the study is for, and which values come first.

    Others take the study for complete once it has its id, which is written last.
    """
    study.set_user_attr("identity", dict(plan.identity))
    if plan.sampler != "grid":
        for values in plan.first[: plan.trials]:
            study.enqueue_trial(plan.space.inside(values))
    study.set_user_attr("id", uuid.uuid4().hex[:8])


def check_identity(study: optuna.Study, plan: Plan) -> None:
    """Wait until the study is founded, and refuse one that was begun for something else.

    Raises
    ------
    ConfigError
        The study was begun for something else.
    TrackingError
        Its first process ended too early.
    """
    for _ in range(_POLLS):
        if study.user_attrs.get("id") is not None:
            break
        time.sleep(_POLL_S)
    else:
        raise TrackingError(
            tr(
                "study={name}: its first process ended before it had begun; give another name",
                name=plan.name,
            )
        )
    before, now = study.user_attrs["identity"], plan.identity
    for key in sorted(before | now):
        if before.get(key) != now.get(key):
            raise ConfigError(
                tr(
                    "study={name}: was begun with {key}={before}, not {now}; give the "
                    "same again, or another name",
                    name=plan.name,
                    key=key,
                    before=before.get(key),
                    now=now.get(key),
                )
            )
