"""Sounds on a page, each with players, picture and sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Samples, Spectrogram
from asd.audio.decode import read_clip
from asd.data.manifest import Dataset
from asd.evaluation import plots
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.hear import nearest_file, unusual_part
from asd.evaluation.page.media import INCHES, Room, audio, image
from asd.evaluation.page.render import DOMAIN
from asd.evaluation.plots import Scale
from asd.evaluation.table import ScoreTable
from asd.features.store import FeatureStore
from asd.language import Language, Say, speaking, translations
from asd.parallel import in_threads
from asd.pipeline.explain import Explanation, explained
from asd.pipeline.pipeline import Pipeline

MOST = 10
"""Clips of a kind that are shown."""
_TRUTH = {"normal": "normal", "anomaly": "anomalous", "unknown": "not labelled"}
_FOR_SCALE = 20
"""Further clips from all over the test side that say how colours are dealt."""


@dataclass(frozen=True)
class Player:
    """A sound that can be played."""

    title: str
    source: str
    """A data URI; empty where there is nothing to play."""
    note: str = ""
    """Whose sound it is, or why there is none."""


@dataclass(frozen=True)
class Case:
    """A sound on the page."""

    name: str
    facts: tuple[tuple[str, str], ...]
    """What is known of it, by name."""
    sentence: str
    picture: str
    """A data URI; empty where there was no room."""
    players: tuple[Player, ...]


@dataclass(frozen=True)
class Shown:
    """A sound that becomes a case."""

    name: str
    """Of its file."""
    facts: tuple[tuple[str, str], ...]
    """What is known of it, by name."""
    samples: Samples
    """``(n_samples,)``, at the rate of the front ends."""
    sound: Spectrogram
    """What the first front end makes of it, ``(n_rows, n_frames)``."""
    unusual: Spectrogram
    """The detector's map of it, ``(n_rows, n_frames)``."""
    machine: str
    """Machine that it is of."""


@dataclass(frozen=True)
class Shelf:
    """What cases of a page share."""

    pipeline: Pipeline
    dataset: Dataset
    """Where the nearest normal clip is looked for."""
    scale: Scale
    language: Language
    room: Room
    played: dict[Path, str] = field(default_factory=dict)
    """Nearest normal sounds, which mostly are so for several, as data URIs."""

    @property
    def say(self) -> Say:
        """Translates into the language of the page."""
        return translations(self.language, DOMAIN).gettext

    def cases(self, sounds: Sequence[Shown]) -> list[Case]:
        """Show sounds; their pictures are drawn while threads make what is to be heard."""
        made = []
        with speaking(self.language):
            axes = self.pipeline.scorer.front_ends[0].axes()
            draw = plots.Explanations(axes, self.scale, INCHES)
            told = in_threads(self._told, sounds)
            for shown, (sentence, players) in zip(sounds, told, strict=True):
                drawn = self.room.take(image(draw(shown.sound, shown.unusual)))
                fitting = tuple(self._fitting(player) for player in players)
                made.append(Case(shown.name, shown.facts, sentence, drawn, fitting))
        return made

    def _told(self, shown: Shown) -> tuple[str, tuple[Player, ...]]:
        """The sentence on a sound, and what is to be heard, whether or not there is room."""
        samples, machine, say = shown.samples, shown.machine, self.say
        told = explained(self.pipeline, samples, shown.unusual, machine, self.language)
        part = unusual_part(self.pipeline, samples, told, machine)
        nothing = say("nothing was added to the usual sound, so there is nothing to hear")
        players = (
            Player(say("This sound"), self._audio(samples)),
            self._nearest(told),
            Player(
                say("The unusual part alone"),
                "" if part is None else self._audio(part),
                nothing if part is None else "",
            ),
        )
        return told.sentence, players

    def _nearest(self, told: Explanation) -> Player:
        say = self.say
        title, path = say("The nearest normal sound"), nearest_file(told, self.dataset)
        if path is None:
            return Player(title, "", say("its file is no longer where the model was trained"))
        if path not in self.played:
            self.played[path] = self._audio(read_clip(path, self.pipeline.scorer.sample_rate))
        return Player(title, self.played[path], path.name)

    def _audio(self, samples: Samples) -> str:
        return audio(samples, self.pipeline.scorer.sample_rate)

    def _fitting(self, player: Player) -> Player:
        """The player where there is room for it; otherwise what is said instead."""
        if self.room.take(player.source) == player.source:
            return player
        note = self.say("left out: the page would become too large")
        return replace(player, source="", note=note)


def chosen_rows(table: ScoreTable, most: int = MOST) -> dict[str, list[int]]:
    """Rows that are shown, at most `most` of each kind.

    Returns
    -------
    dict
        ``false_alarms``, the highest scores first; ``misses``, the lowest first; ``alarms``, all
        other alarms, the highest first.
    """
    order = np.argsort(table.scores, kind="stable")
    rows = {kind: order[members[order]] for kind, members in _kinds(table).items()}
    for kind in ("false_alarms", "alarms"):
        rows[kind] = rows[kind][::-1]
    return {kind: places[:most].tolist() for kind, places in rows.items()}


def totals(table: ScoreTable) -> dict[str, int]:
    """How many clips there are of each kind of `chosen_rows`."""
    return {kind: int(members.sum()) for kind, members in _kinds(table).items()}


def _kinds(table: ScoreTable) -> dict[str, NDArray[np.bool_]]:
    alarms = table.is_anomaly
    return {
        "false_alarms": table.normal & alarms,
        "misses": table.anomalous & ~alarms,
        "alarms": ~table.normal & alarms,
    }


def cases(
    evaluation: Evaluation, store: FeatureStore, language: Language, room: Room
) -> dict[str, list[Case]]:
    """The clips of an evaluation that are shown, by kind.

    Parameters
    ----------
    evaluation : Evaluation
        What is shown.
    store : FeatureStore
        Gives the features.
    language : {'en', 'ja'}
        Of the sentences.
    room : Room
        What fits on the page.
    """
    pipeline, table = evaluation.pipeline, evaluation.table
    by_kind = chosen_rows(table)
    shown = [row for rows in by_kind.values() for row in rows]
    further = np.linspace(0, len(table) - 1, min(_FOR_SCALE, len(table))).astype(int).tolist()
    rows = list(dict.fromkeys([*shown, *further]))
    part = Dataset(evaluation.dataset.root, tuple(table.clips[row] for row in rows))
    maps = pipeline.scorer.explain(part, store)
    sounds = list(store.features(part, pipeline.scorer.front_ends[0]))
    shelf = Shelf(pipeline, evaluation.dataset, Scale.of(sounds, maps), language, room)
    heard = dict(zip(rows, zip(sounds, maps, strict=True), strict=True))
    made = iter(shelf.cases([_shown(shelf.say, evaluation, row, *heard[row]) for row in shown]))
    return {kind: [next(made) for _ in places] for kind, places in by_kind.items()}


def _shown(
    say: Say, evaluation: Evaluation, row: int, sound: Spectrogram, unusual: Spectrogram
) -> Shown:
    table = evaluation.table
    clip = table.clips[row]
    path = evaluation.dataset.file(clip)
    facts = {
        say("Score"): f"{table.scores[row]:.4g}",
        say("p-value"): "" if table.p_values is None else f"{table.p_values[row]:.3g}",
        say("Truth"): say(_TRUTH[clip.label]),
        say("Condition"): clip.condition,
        say("Machine"): clip.machine,
        say("Recording"): f"{clip.recording}, {clip.start_s:.1f} s",
    }
    known = tuple((name, text) for name, text in facts.items() if text)
    samples = read_clip(path, evaluation.pipeline.scorer.sample_rate)
    return Shown(path.name, known, samples, sound, unusual, clip.machine)
