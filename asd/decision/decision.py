"""The one place that decides what is an anomaly."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asd.config import ThresholdConfig
from asd.decision.calibration import Calibration, UnitName, Values, counted, finite
from asd.decision.events import Event
from asd.decision.rule import RecordingVerdict, Rule
from asd.decision.thresholds import Threshold, fit_calibrated
from asd.language import Remark, remarked, tr

FORMAT = 2
"""Number of the format that `Decision.to_dict` writes; 1 had a threshold alone."""


@dataclass(frozen=True, eq=False)
class Decision:
    """One rule for windows, recordings of any length and events.

    Each has a p-value, and is an anomaly exactly when the p-value is at most `rate`. What that
    promises, and on what conditions, is said at `Rule`. Where a data set has several machines, each
    with enough recordings of its own has its own rule, and the others share the pooled one.
    """

    pooled: Rule
    machines: Mapping[str, Rule] = field(default_factory=dict)
    """Rules of the machines that have one."""
    known: tuple[str, ...] = ("",)
    """All machines of the calibration."""
    remarks: tuple[Remark, ...] = ()
    """What the user should know, a sentence each."""

    @classmethod
    def fit(
        cls,
        config: ThresholdConfig,
        calibration: Calibration,
        anomaly_scores: ArrayLike | None = None,
        apart: Container[str] = (),
    ) -> Self:
        """Fit thresholds on held-out scores of normal windows.

        Parameters
        ----------
        config : ThresholdConfig
            The method and its parameters.
        calibration : Calibration
            May be empty for ``fixed``.
        anomaly_scores : array_like, shape (m,), optional
            Scores of labelled anomalies; used by ``best_f1`` alone.
        apart : container of str
            Machines that get no rule here, since they are judged elsewhere.

        Raises
        ------
        ConfigError, NotEnoughClipsError, DetectorError
            As `thresholds.fit_threshold` does.
        """
        pooled = Rule.of(fit_calibrated(config, calibration, anomaly_scores), calibration)
        names = calibration.machine_names if len(calibration) else ("",)
        rules, few = {}, []
        if len(names) > 1 and config.method not in ("fixed", "best_f1"):
            for name in (name for name in names if name not in apart):
                mine = calibration.of_machine(name)
                if (mine.n_units + 1) * config.false_alarm_rate >= 1 - 1e-9:
                    rules[name] = Rule.of(fit_calibrated(config, mine), mine)
                else:
                    few.append(f"{name} ({mine.n_units})")
        remarks = [pooled.threshold.remark]
        if few:
            rate, unit_name = config.false_alarm_rate, calibration.unit_name
            remarks.append(Remark.of(lambda: _too_little(few, rate, unit_name)))
        return cls(pooled, rules, names, tuple(remark for remark in remarks if remark))

    @property
    def note(self) -> str:
        """The remarks in the language of the moment; empty for nothing."""
        return remarked(self.remarks)

    def remarked(self, *remarks: Remark) -> Self:
        """The same decision, with more to know about it."""
        more = tuple(remark for remark in remarks if remark)
        return replace(self, remarks=self.remarks + more)

    @property
    def rate(self) -> float | None:
        """The rate up to which a p-value is an anomaly, in (0, 1]; None without calibration."""
        return self.pooled.rate

    @property
    def threshold(self) -> Threshold:
        """The fitted threshold of the pooled rule, in score units."""
        return self.pooled.threshold

    @property
    def calibration(self) -> Calibration:
        """What it was fitted on."""
        return self.pooled.calibration

    def rule(self, machine: str | None = None) -> Rule:
        """The rule of a machine; the pooled one where it has none of its own."""
        return self.machines.get(machine or "", self.pooled)

    def warning(self, machine: str | None) -> str:
        """What to say of a verdict on `machine`, one sentence; empty for nothing."""
        if machine is None or machine in self.known:
            return ""
        return tr(
            "machine {machine} is not among those of the calibration ({known}): the "
            "threshold of all machines is used",
            machine=machine,
            known=", ".join(name or tr("without a name") for name in self.known),
        )

    def windows(self, scores: ArrayLike, machine: str | None = None) -> Values:
        """P-value of each window, ``(n,)`` in (0, 1]; NaN without calibration."""
        return self.rule(machine).windows(finite(scores))

    def alarms(self, scores: ArrayLike, machine: str | None = None) -> NDArray[np.bool_]:
        """Which windows are anomalies, ``(n,)``: ``p_value <= rate``, or above the threshold."""
        return self.rule(machine).alarms(finite(scores))

    def clips(self, scores: ArrayLike, machines: Sequence[str]) -> tuple[Values, NDArray[np.bool_]]:
        """Judge windows of several machines, each by its machine's rule.

        Parameters
        ----------
        scores : array_like, shape (n,)
            One a window.
        machines : sequence of str, length n
            Machine that each window is of.

        Returns
        -------
        p_values : ndarray, shape (n,)
            NaN without calibration.
        is_anomaly : ndarray of bool, shape (n,)
        """
        values, names = finite(scores), np.asarray(machines, dtype=np.str_)
        p_values, alarms = np.empty(len(values)), np.zeros(len(values), dtype=bool)
        for name in np.unique(names).tolist():
            mine = names == name
            p_values[mine] = self.windows(values[mine], name)
            alarms[mine] = self.alarms(values[mine], name)
        return p_values, alarms

    def recording(self, scores: ArrayLike, machine: str | None = None) -> RecordingVerdict:
        """Judge a recording by the scores of its windows, in the order of time, ``(n,)``."""
        return self.rule(machine).recording(finite(scores))

    def events(
        self,
        scores: ArrayLike,
        starts_s: ArrayLike,
        durations_s: ArrayLike,
        machine: str | None = None,
    ) -> list[Event]:
        """Anomalous parts of a recording, in the order of time.

        Parameters
        ----------
        scores, starts_s, durations_s : array_like, shape (n,)
            Score, start and length in seconds of each window.
        machine : str, optional
            Machine that the recording is of.
        """
        starts = np.asarray(starts_s, dtype=np.float64)
        ends = starts + np.asarray(durations_s, dtype=np.float64)
        return self.rule(machine).events(finite(scores), starts, ends)

    def to_dict(self) -> dict[str, Any]:
        """All but the calibration as plain values, fit for JSON."""
        return {
            "format": FORMAT,
            "threshold": self.pooled.threshold.to_dict(),
            "machines": {name: rule.threshold.to_dict() for name, rule in self.machines.items()},
            "note": self.note,  # what releases before remarks read
            "remarks": [dict(remark.words) for remark in self.remarks],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], calibration: Calibration) -> Self:
        """Take back what `to_dict` gave, with the calibration it was fitted on."""
        pooled = Rule.of(Threshold.from_dict(values["threshold"]), calibration)
        rules = {
            name: Rule.of(Threshold.from_dict(threshold), calibration.of_machine(name))
            for name, threshold in values["machines"].items()
        }
        known = calibration.machine_names if len(calibration) else ("",)
        remarks = [Remark.kept(saved) for saved in values.get("remarks", [values["note"]])]
        return cls(pooled, rules, known, tuple(remark for remark in remarks if remark))

    @classmethod
    def from_legacy(
        cls, threshold: Mapping[str, Any], scores: ArrayLike, recordings: ArrayLike
    ) -> Self:
        """A decision from a model saved without one.

        Parameters
        ----------
        threshold : mapping
            ``threshold`` of its ``pipeline.json``; the value is kept.
        scores, recordings : array_like, shape (n,)
            Of its ``calibration.npz``.
        """
        saved = Threshold.from_dict(threshold)
        calibration = Calibration.of(scores, recordings)
        return cls(Rule.of(saved, calibration)).remarked(saved.remark)


def _too_little(few: Sequence[str], rate: float, unit_name: UnitName) -> str:
    return tr(
        "too little for a threshold of their own at the false-alarm rate of {rate:.3g}, {needed} "
        "are needed: {machines}; the threshold of all machines is used",
        rate=rate,
        needed=counted(math.ceil(1 / rate - 1e-9) - 1, unit_name),
        machines=", ".join(few),
    )
