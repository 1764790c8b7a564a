"""Make the previous champion the champion again."""

from asd.config.steps import RollbackConfig
from asd.errors import TrackingError
from asd.language import tr
from asd.tracking import champions, registry
from asd.tracking.commands import serve_command
from asd.tracking.models import load
from asd.tracking.notes import describe_machine
from asd.tracking.registry import Holders
from asd.tracking.rollbacks import Rollback, cut_short
from asd.tracking.runs import step_run


def run(config: RollbackConfig) -> str:
    """Let champion and previous champion change places; gives the new champion's version.

    One that was cut short is finished. A server that runs goes on with the model that it loaded
    when it started.

    Raises
    ------
    TrackingError
        There is no previous champion, its files have been changed, or the champion was moved by
        someone else meanwhile.
    """
    with step_run("rollback", config.flat()) as tracked:
        name = config.name or champions.only_champion()
        seen = registry.holders(name)
        wish = cut_short(name, seen, tracked.run_id) or _wish(name, seen)
        model = registry.model_of(name, wish.back)
        load(model)  # nothing that cannot be loaded is put into service
        tracked.log_params({"model": model.uri})
        tracked.set_tags(wish.tags(name))
        if not registry.swap(name, seen, wish.back, wish.away):
            raise TrackingError(
                tr(
                    "name={name}: the champion was moved by someone else meanwhile; look at "
                    "its versions and give rollback again if it is still wanted",
                    name=name,
                )
            )
        describe_machine(name, wish.back)
        tracked.report(
            tr(
                "rolled back: {model}, version {back} of {name}, is champion again; "
                "version {away} is previous",
                model=model.name,
                back=wish.back,
                name=name,
                away=wish.away,
            ),
            tr("a server that runs goes on with the model it has loaded; start it anew"),
            after=serve_command(name),
        )
    return wish.back


def _wish(name: str, seen: Holders) -> Rollback:
    back, away = seen.previous, seen.champion
    if back is None or away is None or back == away:
        raise TrackingError(
            tr(
                "name={name}: no previous champion to go back to; there is one from the "
                "second promotion on",
                name=name,
            )
        )
    return Rollback(back, away)
