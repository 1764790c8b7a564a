"""Which default a machine that took no part would get: ``python -m benchmarks.bench_recipes``.

Recipes of the same few branches, with other weights and ways to hear a lean, on every real set; the
one that is best on all groups of machines but one is judged on that one, beside other methods.
Written to docs/benchmarks.md.
"""

import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pyod.models.base import BaseDetector
from pyod.models.ecod import ECOD
from pyod.models.knn import KNN

from asd.arrays import Matrix, Samples, Scores
from asd.audio.decode import read_clip
from asd.audio.perturbation import perturb
from asd.config.recipe import Branch, Recipe
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Clip, Dataset
from asd.data.sound import sound_of
from asd.detectors._statistics import clip_statistics
from asd.evaluation.bootstrap import paired_bootstrap
from asd.evaluation.metrics import auc
from asd.evaluation.table import ScoreTable
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_front_end, resolved
from asd.pipeline.fusion import Fusion
from asd.pipeline.out_of_fold import out_of_fold
from asd.pipeline.scorer import Scorer
from asd.text import markdown_table
from asd.tracking.store import cache_root
from benchmarks.bench_default import CHANGES, tasks
from benchmarks.page import write_section

GROUPS = {
    "motors": ("motor", "M1 > M2", "M2 > M1"),
    "helicopter": ("helicopter",),
    "pump": ("pump_vibration",),
    "leak": ("leak",),
    "hearts": ("heart_a", "heart"),
}
"""Machines that tell of each other are left out together."""
TILTS = [change for change in CHANGES if change.kind == "tilt"]

_DETECTORS: dict[str, tuple[str, dict[str, float]]] = {
    "patch-1": ("patch", {"frames": 1, "density": 0.5}),
    "patch": ("patch", {"frames": 8, "density": 0.5}),
    "gaussian": ("gaussian", {"frames": 16, "components": 128}),
    "knn": ("knn", {"density": 0.5}),
    "mahalanobis": ("mahalanobis", {"variance": 0.995}),
    "mahalanobis-all": ("mahalanobis", {"variance": 1.0}),
}
_MARKS = {"": 0.0, "*": 8.0, "+": 12.0, "**": 100.0}
"""What stands behind a branch that does not hear a lean within so many dB."""
BEFORE = "patch-1, 2 patch, knn"
CANDIDATES = [
    BEFORE,
    "patch-1*, 3 patch, patch*, knn*",
    "patch, gaussian*",
    "patch, gaussian*, mahalanobis*",
    "patch, gaussian*, knn*, mahalanobis*",
    "patch*, gaussian*, knn*, mahalanobis*",
    "patch, gaussian, knn, mahalanobis",
    "2 patch, 2 gaussian*, knn*, 2 mahalanobis*",
    "2 patch, 3 gaussian*, knn*, mahalanobis*",
    "3 patch, 3 gaussian*, knn*, 2 mahalanobis*",
    "2 patch, 3 gaussian*, knn*, 2 mahalanobis-all*",
    "patch-1*, 2 patch, 3 gaussian*, knn*, 2 mahalanobis*",
    "2 patch, 3 gaussian*, knn*, 2 mahalanobis*",
    "2 patch, 3 gaussian**, knn**, 2 mahalanobis**",
    "1.5 patch*, 4 gaussian+, knn+, 3 mahalanobis+",
    "1.5 patch, 4 gaussian*, knn*, 3 mahalanobis*",
    "1.5 patch, 4 gaussian**, knn**, 3 mahalanobis**",
    "1.5 patch, 4 gaussian**, knn+, 3 mahalanobis**",
]
"""Branches, with their weights before them; the last is `auto`."""


def weights_of(candidate: str) -> dict[str, float]:
    """The branches of a candidate, by name, and their weights."""
    words = [part.rpartition(" ") for part in candidate.split(", ")]
    return {name: float(weight or 1) for weight, _, name in words}


def branch_of(name: str) -> Branch:
    """The branch that goes by a name of `_DETECTORS` with one of `_MARKS`."""
    plain = name.rstrip("*+")
    model, fields = _DETECTORS[plain]
    tilt_db = _MARKS[name.removeprefix(plain)]
    return Branch(label=f"{plain}-{tilt_db:.0f}", model=model, detector=fields, tilt_db=tilt_db)


BRANCHES = {name: branch_of(name) for candidate in CANDIDATES for name in weights_of(candidate)}
OTHERS = {
    "knn, raw": Branch(model="knn", detector={"density": 0.0}, features={"level": "none"}),
    "mahalanobis": Branch(model="mahalanobis"),
    "dense_ae (DCASE)": Branch(model="dense_ae"),
}
PYOD: dict[str, type[BaseDetector]] = {"ECOD (PyOD)": ECOD, "kNN (PyOD)": KNN}


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned from, and what is judged, untouched and through two microphones."""

    name: str
    normal: Dataset
    test: Dataset

    @property
    def rate(self) -> int:
        """Sample rate of the clips in Hz."""
        return sound_of(self.normal).sample_rate

    @cached_property
    def tilted(self) -> list[list[Samples]]:
        """The test clips after each of `TILTS`."""
        sounds = [read_clip(self.test.file(clip), self.rate) for clip in self.test.clips]
        rng = np.random.default_rng(0)
        return [
            [perturb(samples, self.rate, change, [], rng, 0) for samples in sounds]
            for change in TILTS
        ]


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores by one branch or recipe."""

    held_out: Scores
    """Of the normal clips, out of fold."""
    test: Matrix
    """Of the test clips, untouched and after each of `TILTS`."""


def judged(branch: Branch, task: Task, store: FeatureStore, folds: bool = True) -> Judged:
    """Fit a branch on a task's normal clips, and judge."""
    recipe = resolved(Recipe(label="one", branches=(branch,)), task.rate)
    held_out = out_of_fold(recipe, task.normal, store).scores[0] if folds else np.zeros(1)
    none = Dataset(task.normal.root, ())
    aside = task.normal if branch.model == "dense_ae" else none
    scorer = Scorer.of_branches(recipe, task.normal, aside, store)
    rows = [scorer.score(task.test, store), *map(scorer.score_samples, task.tilted)]
    return Judged(held_out, np.array(rows))


def by_pyod(kind: type[BaseDetector], task: Task, store: FeatureStore) -> Judged:
    """The same by a detector of PyOD on the statistics that `knn` compares."""
    [branch] = resolved(recipe_of(TrainConfig(model="knn")), task.rate).branches
    front_end = make_front_end(branch)
    detector = kind()
    detector.fit(store.features(task.normal, front_end).table(clip_statistics))
    untouched = store.features(task.test, front_end).table(clip_statistics)
    tables = [untouched]
    tables += [np.stack([clip_statistics(front_end(s)) for s in row]) for row in task.tilted]
    scores = np.array([detector.decision_function(table) for table in tables])
    return Judged(np.zeros(1), scores)


def fused(candidate: str, parts: Mapping[str, Judged]) -> Judged:
    """A candidate, from the scores of its branches."""
    weights = weights_of(candidate)
    chosen = [BRANCHES[name].model_copy(update={"weight": w}) for name, w in weights.items()]
    held_out = np.array([parts[name].held_out for name in weights])
    fusion = Fusion.fit(Recipe(label="some", branches=tuple(chosen)), held_out)
    rows = np.array([parts[name].test for name in weights])
    return Judged(fusion(held_out), np.array([fusion(part) for part in rows.swapaxes(0, 1)]))


def table_of(clips: Iterable[Clip], scores: Scores) -> ScoreTable:
    """Scores with their clips, as the intervals take them."""
    return ScoreTable(tuple(clips), scores, None, float(np.median(scores)))


def measure(store: FeatureStore) -> tuple[dict[str, Task], dict[str, dict[str, Judged]]]:
    """All tasks, and for each method what it says of each task."""
    known, results = {}, {}
    for name, train, valid, whole, _ in tasks():
        task = Task(name, Dataset(train.root, train.clips + valid.clips), whole.split("test"))
        parts = {label: judged(branch, task, store) for label, branch in BRANCHES.items()}
        here = {candidate: fused(candidate, parts) for candidate in CANDIDATES}
        here |= {label: judged(branch, task, store, False) for label, branch in OTHERS.items()}
        here |= {label: by_pyod(kind, task, store) for label, kind in PYOD.items()}
        known[name], results[name] = task, here
        logging.info("%s: done", name)
    return known, {method: {task: results[task][method] for task in results} for method in here}


def figures(task: Task, judged_task: Judged) -> Matrix:
    """AUC and pAUC, untouched and after each tilt, ``(3, 2)``."""
    truth = np.array([clip.label == "anomaly" for clip in task.test.clips])
    pairs = [(row[~truth], row[truth]) for row in judged_task.test]
    return np.array([[auc(*pair), auc(*pair, 0.1)] for pair in pairs])


def main() -> None:
    """Measure, choose without each group, and write the section."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    known, results = measure(FeatureStore(cache_root()))
    groups = {g: np.array([_group(known, r, names) for r in results.values()])
              for g, names in GROUPS.items()}  # fmt: skip
    methods = list(results)
    all_of = np.mean(list(groups.values()), axis=0)
    rows = [
        [method, *(_pair(groups[g][place, 0]) for g in GROUPS), _pair(all_of[place, 0]),
         _pair(all_of[place, 1:].mean(axis=0))]
        for place, method in enumerate(methods)
    ]  # fmt: skip
    chosen = [_without(group, groups, methods, known, results) for group in GROUPS]
    lines = [
        "`python -m benchmarks.bench_recipes`, with `pip install -e '.[bench]'`. AUC / pAUC",
        "(10 %), mean over the tasks of a group and over groups; *tilted* is the mean over groups",
        "where a microphone favours high or low notes of the test clips by 6 dB. Weights stand",
        "before the branches of a recipe; a star marks those that do not hear a lean within 8 dB,",
        "a cross within 12 dB, two stars those that hear none; the last recipe is `auto`.",
        "",
        *markdown_table(["method", *GROUPS, "mean", "tilted"], rows, "l" + "r" * (len(GROUPS) + 2)),
        "",
        "The recipe that is best on all other groups, untouched and tilted, judged on the one left",
        f"out; the last column is its AUC less that of `{BEFORE}`, with the 95 % interval over the",
        "recordings of the group's first task.",
        "",
        *markdown_table(["left out", "chosen", "AUC / pAUC", "gain"], chosen, "llrr"),
    ]
    write_section("recipes", "A default for machines that took no part", lines)


def _group(known: Mapping[str, Task], result: Mapping[str, Judged], names: Iterable[str]) -> Matrix:
    values = np.array([figures(known[name], result[name]) for name in names])
    return np.asarray(values.mean(axis=0))


def _without(
    left_out: str,
    groups: Mapping[str, Matrix],
    methods: list[str],
    known: Mapping[str, Task],
    results: Mapping[str, Mapping[str, Judged]],
) -> list[str]:
    others = np.mean([values for group, values in groups.items() if group != left_out], axis=0)
    value = {m: others[methods.index(m)].mean() for m in CANDIDATES}
    best = max(value, key=lambda method: value[method])
    first = GROUPS[left_out][0]
    clips = known[first].test.clips
    ours, before = (table_of(clips, results[m][first].test[0]) for m in (best, BEFORE))
    gain, low, high = paired_bootstrap(ours, before)
    at = groups[left_out][methods.index(best), 0]
    return [left_out, best, _pair(at), f"{gain:+.3f} ({low:+.3f} to {high:+.3f})"]


def _pair(values: Matrix) -> str:
    return f"{values[0]:.3f} / {values[1]:.3f}"


if __name__ == "__main__":
    main()
