"""What a candidate has to show before it may become champion: one function a gate."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asd.audio.decode import read_clip
from asd.audio.encode import write_track
from asd.data.manifest import Dataset
from asd.errors import ConfigError
from asd.evaluation.bootstrap import paired_bootstrap
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metric_table import metric_named
from asd.evaluation.metrics import alarm_interval
from asd.language import tr
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict

TOLERANCE = 1e-6
"""Largest difference of a score and its repetition in another process, relative above 1."""
PROBED = 3
PASSES = 5
"""Times that each probed clip is judged; the quickest counts."""


@dataclass(frozen=True)
class Gate:
    """The outcome of one gate."""

    name: str
    holds: bool
    numbers: str
    """What was found and what was asked for, for people."""
    figures: dict[str, float] = field(default_factory=dict)
    """The same for the run's metrics."""
    binding: bool = True
    """Whether the candidate is refused where the gate does not hold."""

    @property
    def refuses(self) -> bool:
        """The candidate must not be promoted."""
        return self.binding and not self.holds

    def __str__(self) -> str:
        failed = tr("refused") if self.binding else tr("warning")
        word = tr("held") if self.holds else failed
        return f"{self.name}: {word}, {self.numbers}"


@dataclass(frozen=True)
class Probe:
    """A few clips judged in this process."""

    files: list[Path]
    scores: list[float]
    latency_ms: float
    """Processor time to judge a window of `clip_seconds`, median over the files."""


def gain(
    candidate: Evaluation,
    champion: Evaluation | None,
    metric: str,
    min_gain: float,
) -> Gate:
    """The candidate is better on the same clips: by more than 0 and by at least `min_gain`.

    A model with the same scores and another threshold need not be better: that is a choice. The
    interval of the difference (see `asd.evaluation.bootstrap.paired_bootstrap`) is shown and
    does not decide. `f1` has none. `max_fpr` is that with which both were evaluated.

    Raises
    ------
    ConfigError
        The metric is not defined on this data set.
    """
    entry = metric_named(metric)
    value = _value(candidate, metric)
    if champion is None:
        return Gate(
            "gain",
            True,
            tr("{metric} {value:.4f}; there was no champion", metric=metric, value=value),
        )
    rival = _value(champion, metric)
    if _same_detectors(candidate, champion):
        return Gate(
            "gain",
            True,
            tr(
                "{metric} {value:.4f}; the same scores, another threshold",
                metric=metric,
                value=value,
            ),
        )
    sign = 1 if entry.better == "higher" else -1
    difference = sign * (value - rival)
    figures = {f"champion_{metric}": rival, "gain": difference}
    interval = ""
    if entry.rank is not None:
        difference, low, high = paired_bootstrap(
            candidate.table,
            champion.table,
            metric,
            candidate.seed,
            max_fpr=candidate.max_fpr,
        )
        difference, low, high = sign * difference, *sorted((sign * low, sign * high))
        figures |= {"gain": difference, "gain_low": low, "gain_high": high}
        interval = tr(" (95 % interval {low:+.4f} to {high:+.4f})", low=low, high=high)
    least = tr("at least {gain:g}", gain=min_gain) if min_gain else tr("more than 0")
    numbers = tr(
        "{metric} {value:.4f} against {rival:.4f} of {champion} (the champion): "
        "{difference:+.4f}{interval}; {least} is needed",
        metric=metric,
        value=value,
        rival=rival,
        champion=champion.name,
        difference=difference,
        interval=interval,
        least=least,
    )
    return Gate("gain", difference > 0 and difference >= min_gain, numbers, figures)


def false_alarms(candidate: Evaluation, champion: Evaluation | None) -> Gate:
    """The false-alarm rate on the normal test clips does not contradict the promised one.

    It does where even the lower end of its 95 % interval, with recordings as the units, lies
    above the promise. That is a mere warning where nothing better is in service: no champion, or
    one that breaks its own promise.
    """
    holds, numbers = _promise(candidate)
    if holds:
        return Gate("false_alarms", True, numbers)
    if champion is None:
        return Gate(
            "false_alarms",
            False,
            tr("{numbers}; there was no champion", numbers=numbers),
            binding=False,
        )
    champion_holds, its_numbers = _promise(champion)
    numbers += tr("; the champion has {its_numbers}", its_numbers=its_numbers)
    return Gate("false_alarms", False, numbers, binding=champion_holds)


def latency(probe: Probe, pipeline: Pipeline, max_latency_ms: float | None) -> Gate:
    """A clip takes at most `max_latency_ms`, or as long as it lasts where that is not given.

    Processor time counts, and not the clock: what else runs on the machine must not decide.
    """
    limit = pipeline.clip_seconds * 1000 if max_latency_ms is None else max_latency_ms
    numbers = tr(
        "{latency:.1f} ms a clip, at most {limit:g} ms is allowed",
        latency=probe.latency_ms,
        limit=limit,
    )
    holds = probe.latency_ms <= limit
    if not holds:
        numbers += tr("; take a quicker detector, or allow more with -P max_latency_ms=")
    return Gate("latency", holds, numbers, {"latency_ms": probe.latency_ms})


def reload(probe: Probe, again: Sequence[float]) -> Gate:
    """A new process that loads the model from the store gives the same scores.

    Parameters
    ----------
    probe : Probe
        Judged in this process.
    again : sequence of float
        Scores of the same files, from the other one.
    """
    here = np.array(probe.scores)
    difference = float(np.max(np.abs(np.array(again) - here) / np.maximum(1, np.abs(here))))
    numbers = tr(
        "{n} clips scored in a new process differ by {difference:.1e}, at most "
        "{most:.0e} is allowed",
        n=len(here),
        difference=difference,
        most=TOLERANCE,
    )
    return Gate("reload", difference <= TOLERANCE, numbers, {"reload_difference": difference})


def probe(pipeline: Pipeline, dataset: Dataset, folder: Path | None = None) -> Probe:
    """Judge a few test clips, spread over the data set, and take the processor time.

    Clips have gone the way of the sound already. Where the model takes one channel or a later
    track, they are put there in recordings whose other channels and tracks are silent.

    A clip is judged several times and the quickest pass counts: other processes can make a pass
    slower, by taking the processor's cache, and never quicker.

    Parameters
    ----------
    pipeline : Pipeline
        The candidate.
    dataset : Dataset
        Has test clips.
    folder : Path, optional
        Where such recordings are written; they are needed for as long as the probe is. Without
        it the clips themselves are judged, which models of one channel refuse.
    """
    clips = dataset.split("test").clips
    chosen = np.unique(np.linspace(0, len(clips) - 1, PROBED).round().astype(int))
    files = [_as_recorded(pipeline, dataset.file(clips[index]), folder) for index in chosen]
    scores, times = [], []
    for path in files:
        verdict, seconds = _timed(pipeline, path)
        times.append(1000 * seconds / len(verdict.windows))
        scores.append(verdict.anomaly_score)
    return Probe(files, scores, statistics.median(times))


def _as_recorded(pipeline: Pipeline, clip: Path, folder: Path | None) -> Path:
    """A recording of which the model hears the clip, and nothing else."""
    sound = pipeline.sound
    if folder is None or (sound.channel is None and sound.stream == 0):
        return clip
    rate = pipeline.scorer.sample_rate
    path = folder / f"{clip.stem}.mka"
    write_track(path, read_clip(clip, rate), rate, sound.channel or 0, sound.stream)
    return path


def _timed(pipeline: Pipeline, path: Path) -> tuple[Verdict, float]:
    """The verdict on a file, and the processor time in seconds of the quickest of the passes."""
    passes = []
    for _ in range(PASSES):
        started = time.process_time()
        verdict = pipeline.judge(path)
        passes.append(time.process_time() - started)
    return verdict, min(passes)


def _same_detectors(candidate: Evaluation, champion: Evaluation) -> bool:
    """Two models that differ in the threshold alone: no metric of ranking can tell them apart."""
    one, other = candidate.table, champion.table
    same = len(one) == len(other) and np.array_equal(one.scores, other.scores)
    return bool(same and one.threshold != other.threshold)


def _value(evaluation: Evaluation, metric: str) -> float:
    if metric not in evaluation.metrics:
        raise ConfigError(
            tr(
                "metric={metric}: undefined on {data}, whose test clips must hold both "
                "normal and anomalous ones; give a data set with both, or make one with "
                "augment",
                metric=metric,
                data=evaluation.dataset.root,
            )
        )
    return evaluation.metrics[metric]


def _promise(evaluation: Evaluation) -> tuple[bool, str]:
    """Whether the promised false-alarm rate is still credible, and the numbers."""
    promised = evaluation.pipeline.threshold.promised_rate
    table = evaluation.table.select(evaluation.table.normal)
    if promised is None:
        return True, tr("its threshold promises no false-alarm rate")
    if not len(table):
        return True, tr(
            "{promised:.1%} promised, no normal test clips to check it on", promised=promised
        )
    low, high = alarm_interval(table)
    numbers = tr(
        "{rate:.1%} of {n} normal clips (95 % interval over recordings {low:.1%} "
        "to {high:.1%}), {promised:.1%} promised",
        rate=table.is_anomaly.mean(),
        n=len(table),
        low=low,
        high=high,
        promised=promised,
    )
    return low <= promised, numbers
