"""What a pipeline says of a recording."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from asd.decision.events import Event


@dataclass(frozen=True)
class Window:
    """The judgement of one window of a recording."""

    start_s: float
    duration_s: float
    anomaly_score: float
    is_anomaly: bool
    p_value: float | None
    """None where the threshold was fixed without any calibration."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of a whole recording.

    `is_anomaly` is true exactly when `p_value` is at most the rate that the pipeline promises: for
    the recording as for each window and each event.
    """

    windows: tuple[Window, ...]
    threshold: float
    """Of a window, in units of the score."""
    anomaly_score: float
    """Of the recording: the mean of the highest fifth of its windows' scores."""
    is_anomaly: bool
    p_value: float | None
    events: tuple[Event, ...] = ()
    """Anomalous parts that are too unusual to be chance in so long a recording."""
    warnings: tuple[str, ...] = ()
    """What makes the recording hard to compare with those of the training, a sentence each. They
    change neither score nor `is_anomaly`."""
    not_comparable: tuple[str, ...] = ()
    """Those of them that say that its score means little."""
    note: str = ""
    """What the p-value rests on, where that is more than the calibration; empty for nothing."""

    @property
    def worst(self) -> Window:
        """The window with the highest score."""
        return max(self.windows, key=lambda window: window.anomaly_score)

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        last = self.windows[-1]
        return last.start_s + last.duration_s

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        made = dict(values)
        made["windows"] = tuple(Window(**window) for window in values["windows"])
        made["events"] = tuple(Event(**event) for event in values["events"])
        for key in ("warnings", "not_comparable"):
            made[key] = tuple(values[key])
        return cls(**made)
