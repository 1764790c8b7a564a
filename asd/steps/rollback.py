"""Make the previous champion the champion again."""

from asd.config.steps import RollbackConfig
from asd.errors import TrackingError
from asd.steps.promote import SERVE
from asd.tracking import registry
from asd.tracking.models import load
from asd.tracking.runs import step_run


def run(config: RollbackConfig) -> str:
    """Let champion and previous champion change places; gives the new champion's version.

    A server that runs goes on with the model that it loaded when it started.

    Raises
    ------
    TrackingError
        There is no previous champion, its files have been changed, or the champion was moved by
        someone else meanwhile.
    """
    with step_run("rollback", config.flat()) as tracked:
        seen = registry.holders()
        back, away = seen.previous, seen.champion
        if back is None or away is None or back == away:
            raise TrackingError(
                f"{registry.REGISTERED_NAME}: no previous champion to go back to; there is one "
                "from the second promotion on"
            )
        model = registry.model_of(back)
        load(model)  # nothing that cannot be loaded is put into service
        tracked.log_params({"model": model.uri})
        tracked.set_tags({"asd.champion": back, "asd.previous": away})
        if not registry.swap(away, back):
            raise TrackingError(
                f"{registry.REGISTERED_NAME}: the champion was moved by someone else meanwhile; "
                "look at its versions and give rollback again if it is still wanted"
            )
        tracked.report(
            f"rolled back: {model.name}, version {back}, is champion again; version {away} is "
            "previous",
            "a server that runs goes on with the model it has loaded; start it anew",
            after=SERVE,
        )
    return back
