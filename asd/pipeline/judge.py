"""What turns sound into verdicts: branches, fusion and decision."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Samples, Scores
from asd.audio.comparable import Reference
from asd.audio.completeness import Truncated
from asd.audio.condition import Condition, Meter
from asd.audio.container import Watch
from asd.audio.decode import stream_blocks
from asd.audio.windows import windows
from asd.data.manifest import Dataset
from asd.data.sound import Sound
from asd.decision.decision import Decision
from asd.features.store import FeatureStore
from asd.language import tr
from asd.parallel import jobs_for, parallel_map
from asd.pipeline.scorer import Scorer
from asd.pipeline.verdict import Verdict, Window

_WINDOWS_AT_ONCE = 16


class ScoredWindow(NamedTuple):
    """A window of a stream."""

    start_s: float
    duration_s: float
    score: float


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges clips, recordings of any length, and streams, all in one way."""

    scorer: Scorer
    """From sound to scores."""
    decision: Decision
    """From scores to verdicts."""
    sound: Sound
    """The way of the sound from a recording to a clip."""

    @property
    def clip_seconds(self) -> float:
        """Length of the windows that are judged, in seconds."""
        return self.sound.clip_seconds

    @property
    def window_samples(self) -> int:
        """Samples in a window, at the rate of the front ends."""
        return round(self.clip_seconds * self.scorer.sample_rate)

    def score(self, dataset: Dataset, store: FeatureStore) -> Scores:
        """Anomaly score of each clip of a data set, ``(n_clips,)``."""
        return self.judge_clips(dataset, store)[0]

    def judge_clips(
        self, dataset: Dataset, store: FeatureStore
    ) -> tuple[Scores, Scores, NDArray[np.bool_]]:
        """Judge each clip of a data set, just as `judge` would judge its file.

        Returns
        -------
        scores : ndarray, shape (n_clips,)
        p_values : ndarray, shape (n_clips,)
            NaN without calibration.
        is_anomaly : ndarray of bool, shape (n_clips,)
        """
        # A clip that is longer than a window is judged window by window.
        rate, size = self.scorer.sample_rate, self.window_samples
        is_short = np.array([round(c.duration_s * rate) <= size for c in dataset.clips], dtype=bool)
        scores, p_values = np.empty(len(is_short)), np.empty(len(is_short))
        alarms = np.zeros(len(is_short), dtype=bool)
        short = Dataset(dataset.root, tuple(compress(dataset.clips, is_short)))
        if short.clips:
            scores[is_short] = self.scorer.score(short, store)
            machines = [clip.machine for clip in short.clips]
            p_values[is_short], alarms[is_short] = self.decision.clips(scores[is_short], machines)
        for place in np.flatnonzero(~is_short):
            clip = dataset.clips[place]
            # Clips have gone the way of the sound already: one channel, one track.
            blocks = stream_blocks(dataset.file(clip), rate)
            verdict = self.verdict(list(self._windows(blocks, clip.machine)), clip.machine)
            scores[place], alarms[place] = verdict.anomaly_score, verdict.is_anomaly
            p_values[place] = np.nan if verdict.p_value is None else verdict.p_value
        return scores, p_values, alarms

    def judge_sounds(
        self, sounds: Sequence[Samples], machines: Sequence[str]
    ) -> tuple[Scores, Scores, NDArray[np.bool_]]:
        """Judge pieces of sound as `judge_clips` judges clips.

        Parameters
        ----------
        sounds : sequence of ndarray, each of shape (n_samples_i,)
            At the rate of the front ends.
        machines : sequence of str
            Machine that each is of.

        Returns
        -------
        scores, p_values, is_anomaly
            As of `judge_clips`.
        """
        cut = [[piece for _, piece in windows([s], self.window_samples)] for s in sounds]
        # Sounds of a machine are scored together.
        by_sound: list[Scores] = [np.empty(0)] * len(cut)
        for machine in sorted(set(machines)):
            mine = [place for place, name in enumerate(machines) if name == machine]
            pieces = [piece for place in mine for piece in cut[place]]
            ends = np.cumsum([len(cut[place]) for place in mine])
            split = np.split(self.scorer.score_samples(pieces, machine), ends[:-1])
            for place, own in zip(mine, split, strict=True):
                by_sound[place] = own
        scores = np.array([float(self.decision.recording(own).statistic) for own in by_sound])
        p_values, alarms = self.decision.clips(scores, machines)
        for place, own in enumerate(by_sound):
            if len(own) > 1:
                whole = self.decision.recording(own, machines[place])
                p_values[place] = np.nan if whole.p_value is None else whole.p_value
                alarms[place] = whole.is_anomaly
        return scores, p_values, alarms

    def stream(
        self,
        source: Path | bytes,
        meter: Meter | None = None,
        machine: str | None = None,
        truncated: Truncated = "refuse",
        watch: Watch | None = None,
    ) -> Iterator[ScoredWindow]:
        """Score a recording of any length and container, window by window.

        Parameters
        ----------
        source : Path or bytes
            The file, or its content.
        meter : Meter, optional
            Listens to the recording meanwhile.
        machine : str, optional
            As in `judge`.
        truncated : {"refuse", "accept"}
            What becomes of a recording that has lost its end.
        watch : callable, optional
            Is told the length in seconds, as stated and then as decoded; raises to end the work.

        Raises
        ------
        AudioError
            The recording cannot be decoded, is not a usable signal, or lacks the channel.
        """
        blocks = stream_blocks(
            source,
            self.scorer.sample_rate,
            self.sound.channel,
            self.sound.stream,
            meter=meter,
            truncated=truncated,
            watch=watch,
        )
        return self._windows(blocks, machine)

    def _windows(
        self, blocks: Iterable[Samples], machine: str | None = None
    ) -> Iterator[ScoredWindow]:
        rate = self.scorer.sample_rate
        pieces = windows(blocks, self.window_samples)
        while several := list(islice(pieces, _WINDOWS_AT_ONCE)):
            scores = self.scorer.score_samples([samples for _, samples in several], machine)
            for (start, samples), score in zip(several, scores, strict=True):
                yield ScoredWindow(start / rate, len(samples) / rate, float(score))

    def judge(
        self,
        source: Path | bytes,
        machine: str | None = None,
        truncated: Truncated = "refuse",
        watch: Watch | None = None,
    ) -> Verdict:
        """Judge a recording of any length and container.

        Parameters
        ----------
        source : Path or bytes
            The file, or its content.
        machine : str, optional
            Machine that it is of; the detector and threshold of all machines where not given.
        truncated, watch
            As of `stream`.

        Raises
        ------
        AudioError
            The recording cannot be decoded, is not a usable signal, or lacks the channel.
        """
        meter = Meter(self.sound.channel)
        scored = list(self.stream(source, meter, machine, truncated, watch))
        return self.verdict(scored, machine, meter.condition())

    def parts(
        self,
        source: Path | bytes,
        spans: Sequence[tuple[float, float]],
        watch: Watch | None = None,
    ) -> list[Samples]:
        """What the detectors hear of parts of a recording, ``(n_samples_i,)`` each.

        Parameters
        ----------
        source : Path or bytes
            The file, or its content, as it was judged.
        spans : sequence of (start_s, end_s)
            The parts, in seconds from the start of the recording.
        watch : callable, optional
            As of `stream`.
        """
        rate, sound = self.scorer.sample_rate, self.sound
        places = [(round(start * rate), round(end * rate)) for start, end in spans]
        found: list[list[Samples]] = [[] for _ in places]
        position, last = 0, max(end for _, end in places)
        for block in stream_blocks(
            source, rate, sound.channel, sound.stream, truncated="accept", watch=watch
        ):
            for (start, end), pieces in zip(places, found, strict=True):
                pieces.append(block[max(0, start - position) : max(0, end - position)])
            position += len(block)
            if position >= last:
                break
        return [np.concatenate(pieces) for pieces in found]

    def parts_of(
        self, wanted: Mapping[Path, Sequence[tuple[float, float]]]
    ) -> dict[Path, list[Samples]]:
        """`parts` of several recordings, on all cores."""
        files = list(wanted)
        work = partial(_parts, self)
        found = parallel_map(work, list(wanted.items()), tr("sounds"), jobs_for(files))
        return dict(zip(files, found, strict=True))

    @property
    def reference(self) -> Reference:
        """What the condition of recordings is compared with."""
        sound = self.sound
        return Reference(self.scorer.sample_rate, self.clip_seconds, sound.ranges, sound.resampler)

    def verdict(
        self,
        scored: list[ScoredWindow],
        machine: str | None = None,
        condition: Condition | None = None,
    ) -> Verdict:
        """Fold the windows of a recording into one judgement.

        Parameters
        ----------
        scored : list of ScoredWindow
            All of the recording, at least one.
        machine : str, optional
            As in `judge`.
        condition : Condition, optional
            What the recording is like; without it there are no warnings of it.
        """
        scores = np.array([window.score for window in scored])
        starts = np.array([window.start_s for window in scored])
        lengths = np.array([window.duration_s for window in scored])
        p_values = self.decision.windows(scores, machine)
        alarms = self.decision.alarms(scores, machine)
        judged = tuple(
            Window(*window[:3], bool(alarm), None if np.isnan(p) else float(p))
            for window, alarm, p in zip(scored, alarms, p_values, strict=True)
        )
        whole = self.decision.recording(scores, machine)
        warning = self.decision.warning(machine)
        notices = self.reference.notices(condition) if condition else []
        return Verdict(
            windows=judged,
            threshold=self.decision.rule(machine).threshold.value,
            anomaly_score=whole.statistic,
            is_anomaly=whole.is_anomaly,
            p_value=whole.p_value,
            note=whole.note,
            events=tuple(self.decision.events(scores, starts, lengths, machine)),
            warnings=(*([warning] if warning else []), *(notice.text for notice in notices)),
            not_comparable=tuple(notice.text for notice in notices if not notice.comparable),
        )


def _parts(judge: Judge, wanted: tuple[Path, Sequence[tuple[float, float]]]) -> list[Samples]:
    return judge.parts(*wanted)
