"""Why a sound is judged as it is: a map of the unusual, and a sentence."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asd.arrays import Samples, Spectrogram
from asd.audio.container import Watch
from asd.features.base import Axes
from asd.language import Language, chosen
from asd.pipeline.finding import Finding, Span, find
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.sentence import sentence
from asd.pipeline.usual import NormalClip, describing
from asd.pipeline.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is unusual in a sound."""

    sentence: str
    """As a technician would say it."""
    bands_hz: tuple[Span, ...]
    """Lower and upper edge of each unusual band, the most unusual first; empty where none is."""
    times_s: tuple[Span, ...]
    """When, in seconds from the start of the sound."""
    finding: Finding | None
    """The figures behind the sentence; None where nothing stands out."""
    unusual: Spectrogram
    """What the detector finds unusual, ``(n_rows, n_frames)``, >= 0."""
    axes: Axes
    """Rows and columns of `unusual`."""
    nearest: NormalClip | None
    """The normal clip that sounds most alike; None in models of earlier releases."""


def explain(
    pipeline: Pipeline,
    samples: Samples,
    machine: str | None = None,
    language: Language | None = None,
) -> Explanation:
    """Explain a clip, or a window of a recording.

    Parameters
    ----------
    pipeline : Pipeline
        What judged it.
    samples : ndarray of shape (n_samples,)
        At the rate of the front ends.
    machine : str, optional
        Machine that it is of.
    language : {'en', 'ja'}, optional
        Of the sentence; that of the process where not given.
    """
    [unusual] = pipeline.scorer.explain_samples([samples], machine)
    return explained(pipeline, samples, unusual, machine, language)


def explained(
    pipeline: Pipeline,
    samples: Samples,
    unusual: Spectrogram,
    machine: str | None = None,
    language: Language | None = None,
) -> Explanation:
    """As `explain`, with the map that is there already, as `Scorer.explain` gives it."""
    own = pipeline.of_machine(machine)
    front_end = describing(own.scorer.sample_rate)
    sound, axes = front_end(samples), front_end.axes()
    meaning = own.scorer.front_ends[0].axes()
    expected = own.usual.expected(sound) if own.usual else None
    finding = find(sound, axes, expected, on_grid(unusual, meaning, axes, sound.shape[1]))
    return Explanation(
        sentence=sentence(finding, language or chosen()),
        bands_hz=finding.bands_hz if finding else (),
        times_s=finding.times_s if finding else (),
        finding=finding,
        unusual=unusual,
        axes=meaning,
        nearest=expected.nearest if expected else None,
    )


def explain_recording(
    pipeline: Pipeline,
    source: Path | bytes,
    verdict: Verdict,
    machine: str | None = None,
    language: Language | None = None,
    watch: Watch | None = None,
) -> Explanation:
    """Explain the window of a recording that has the highest score.

    Parameters
    ----------
    pipeline : Pipeline
        What judged it.
    source, machine, watch
        As they were given to `Judge.judge`.
    verdict : Verdict
        What came of it.
    language : {'en', 'ja'}, optional
        Of the sentence; that of the process where not given.

    Returns
    -------
    Explanation
        Its times count from the start of the recording.
    """
    worst = verdict.worst
    end_s = worst.start_s + worst.duration_s
    [window] = pipeline.parts(source, [(worst.start_s, end_s)], watch)
    told = explain(pipeline, window, machine, language)
    if told.finding is None:
        return told
    finding = told.finding.within(worst.start_s, verdict.duration_s)
    words = sentence(finding, language or chosen())
    return replace(told, finding=finding, times_s=finding.times_s, sentence=words)


def on_grid(unusual: Spectrogram, meaning: Axes, axes: Axes, n_frames: int) -> Spectrogram | None:
    """A map brought to other bands and frames; None where its rows are no frequencies.

    Parameters
    ----------
    unusual : ndarray of shape (n_rows, n_frames_i)
        The map.
    meaning : Axes
        Of the map.
    axes : Axes
        To bring it to.
    n_frames : int
        Number of frames there.
    """
    if meaning.row_unit != "Hz":
        return None
    rows = np.interp(axes.rows, meaning.rows, np.arange(len(meaning.rows)))
    step = axes.seconds_per_frame / meaning.seconds_per_frame
    columns = np.minimum(np.arange(n_frames) * step, unusual.shape[1] - 1)
    cells: Spectrogram = unusual[np.ix_(rows.round().astype(int), columns.round().astype(int))]
    return cells
