"""The report on scored recordings."""

from collections.abc import Mapping
from pathlib import Path

from asd.data.manifest import Dataset
from asd.evaluation.page.cases import MOST, Shelf, Shown
from asd.evaluation.page.media import MOST_SOUND_S, Room
from asd.evaluation.page.render import DOMAIN, render
from asd.evaluation.plots import Scale
from asd.language import Language, Say, translations
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict

_MOST_ROWS = 500


def recordings_page(
    pipeline: Pipeline,
    verdicts: Mapping[Path, Verdict],
    machine: str,
    language: Language,
    lineage: Mapping[str, str],
) -> str:
    """The report on recordings: one HTML page that needs no other file.

    Parameters
    ----------
    pipeline : Pipeline
        What judged them.
    verdicts : mapping of Path to Verdict
        The judgement of each file.
    machine : str
        Machine that they are of; empty where not known.
    language : {'en', 'ja'}
        Language of the page.
    lineage : mapping of str to str
        Which run, model and code it is of, by name.

    Raises
    ------
    AudioError
        A recording with an alarm can no longer be read.
    """
    say = translations(language, DOMAIN).gettext
    ranked = sorted(
        verdicts.items(), key=lambda item: (-item[1].is_anomaly, -item[1].anomaly_score)
    )
    alarms = [(path, verdict) for path, verdict in ranked if verdict.is_anomaly]
    shown = alarms[:MOST]
    parts = pipeline.parts_of({path: [_worst(verdict)] for path, verdict in shown})
    heard = [(path, verdict, parts[path][0]) for path, verdict in shown]
    scorer = pipeline.scorer
    cases = []
    if heard:
        maps = scorer.explain_samples([samples for _, _, samples in heard], machine)
        sounds = [scorer.front_ends[0](samples) for _, _, samples in heard]
        trained = Dataset(Path(pipeline.trained_on.path), ())
        shelf = Shelf(pipeline, trained, Scale.of(sounds, maps), language, Room())
        cases = shelf.cases(
            [
                Shown(path.name, _facts(verdict, say), samples, sound, unusual, machine)
                for (path, verdict, samples), sound, unusual in zip(
                    heard, sounds, maps, strict=True
                )
            ]
        )
    return render(
        "recordings.html",
        language,
        model=pipeline.recipe.label,
        n=len(verdicts),
        alarms=len(alarms),
        cases=cases,
        rows=[_row(path, verdict, say) for path, verdict in ranked[:_MOST_ROWS]],
        lineage=[(say(name), value) for name, value in lineage.items()],
        most_s=MOST_SOUND_S,
    )


def _worst(verdict: Verdict) -> tuple[float, float]:
    """Start and end of the most unusual window."""
    worst = verdict.worst
    return worst.start_s, worst.start_s + worst.duration_s


def _facts(verdict: Verdict, say: Say) -> tuple[tuple[str, str], ...]:
    start, end = _worst(verdict)
    return (
        (say("Score"), f"{verdict.anomaly_score:.4g}"),
        (say("p-value"), _p_value(verdict)),
        (say("Most unusual at (s)"), f"{start:.1f} – {end:.1f}"),
        (say("Events"), str(len(verdict.events))),
    )


def _row(path: Path, verdict: Verdict, say: Say) -> tuple[str, ...]:
    return (
        path.name,
        say("yes") if verdict.is_anomaly else say("no"),
        f"{verdict.anomaly_score:.4g}",
        _p_value(verdict),
        f"{verdict.duration_s:.1f}",
        f"{verdict.worst.start_s:.1f}",
        "; ".join(verdict.warnings),
    )


def _p_value(verdict: Verdict) -> str:
    return "–" if verdict.p_value is None else f"{verdict.p_value:.3g}"
