"""Which recipe a sweep ends with."""

from dataclasses import dataclass
from pathlib import Path

from asd.config.recipe import Recipe
from asd.config.steps import SweepConfig
from asd.language import tr
from asd.search.candidates import Candidates
from asd.search.runoff import FINALISTS, Runoff, run_off
from asd.search.study import Study
from asd.search.validation import Validation
from asd.text import count


@dataclass(frozen=True)
class Winner:
    """The recipe, and how it was chosen."""

    label: str
    recipe: Recipe
    runoff: Runoff | None = None
    """None where the best trial wins without one."""

    def lines(self) -> list[str]:
        """For the report."""
        runoff = self.runoff
        if runoff is None:
            return [tr("winner: {label}", label=self.label)]
        parts = count(len(runoff.figures[runoff.incumbent]), "part")
        judged = [name for name in runoff.figures if name not in runoff.given_up]
        means = ", ".join(f"{name} {runoff.mean(name):.4f}" for name in judged)
        lines = [
            tr(
                "run-off on {parts} of the train side, each held out: {means}",
                parts=parts,
                means=means,
            )
        ]
        if runoff.given_up:
            names = ", ".join(runoff.given_up)
            lines.append(
                tr("given up after two parts or more, without a gain: {names}", names=names)
            )
        if self.label == runoff.incumbent:
            return [*lines, tr("winner: {label}; no other clearly beats it", label=self.label)]
        gain, error = runoff.gain(self.label)
        above = tr(
            "{gain:+.4f} +- {error:.4f} above {incumbent}",
            gain=gain,
            error=error,
            incumbent=runoff.incumbent,
        )
        return [*lines, tr("winner: {label}, {above}", label=self.label, above=above)]


def find_winner(
    study: Study, candidates: Candidates, validation: Validation, config: SweepConfig, root: Path
) -> Winner:
    """The best trial; without labelled anomalies only where it beats the default in a run-off.

    Where the ranges leave the default out, the others have to beat the best trial.

    Parameters
    ----------
    study : Study
        Whose trials have come to an end.
    candidates : Candidates
        What its trials stand for.
    validation : Validation
        What they were compared on.
    config : SweepConfig
        The metrics; with two of them, or one that is no area under a ROC curve, the best trial
        wins.
    root : Path
        Folder of the cache.

    Raises
    ------
    TrackingError
        No trial was completed.
    """
    ranked: dict[str, Recipe] = {}
    settled: dict[str, Recipe] = {}
    for trial in study.ranked():
        recipe = candidates.recipe(trial.values)
        if recipe not in ranked.values():
            label = f"trial {trial.number} {recipe.label}"
            ranked[label], settled[label] = recipe, trial.settled or recipe
    best = Winner(*next(iter(ranked.items())))
    if validation.kind == "valid" or config.metric not in (("auc",), ("pauc",)):
        return best
    usual = candidates.default()
    incumbent = best.label
    if usual is not None:
        same = (name for name, recipe in ranked.items() if recipe == usual)
        incumbent = next(same, f"default {usual.label}")
        ranked.setdefault(incumbent, usual)
    contenders = {incumbent: ranked[incumbent]} | dict(list(ranked.items())[:FINALISTS])
    if len(contenders) == 1:
        return best
    fitted = {label: settled.get(label, recipe) for label, recipe in contenders.items()}
    runoff = run_off(fitted, incumbent, validation, config.metric[0], config.max_fpr, root)
    return Winner(runoff.winner, contenders[runoff.winner], runoff) if runoff else best
