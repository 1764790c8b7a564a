"""The default: several detectors that judge together, put on one scale without any anomaly."""

import logging
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import softmax
from tqdm import tqdm

from asd.detectors import detector_class
from asd.detectors._fusion import centre_and_spread, folds, join, standardise
from asd.detectors._patches import Part, evenly
from asd.detectors._statistics import Level
from asd.detectors.base import Detector, DetectorConfig, EpochCallback, Scores
from asd.features.sets import Features, FloatArray
from asd.features.threads import one_thread

logger = logging.getLogger(__name__)

_MEMBERS = {"patch": 1.5e-4, "mahalanobis": 8e-5, "knn": 7e-5}
"""Members in the order of their worth, each with the seconds that two cores take for a frame, over
all the times that it is fitted and scored in cross-validation."""
_ENOUGH_CLIPS = 500
"""Training clips below which a member is given up rather than more clips."""
_SAMPLED_CLIPS = 32
"""Clips whose length tells how long clips are."""
_EXPLAINED_CLIPS = 8
"""Held-out clips a fold whose maps tell what is usual."""


class AutoConfig(DetectorConfig):
    """Configuration of `Auto`."""

    budget_s: float = Field(60.0, gt=0)
    """Seconds that fitting may take on two cores, by estimate: more members and more training
    clips take part the larger it is. The same budget gives the same detector on any machine."""
    level: Level = "normalised"
    """`normalised` ignores the gain of the recording; `kept` makes loudness count, for recorders
    whose gain never changes."""


class Auto(Detector[AutoConfig]):
    """Joins nearest patches, Mahalanobis distance and nearest neighbour into one score.

    Each member is fitted on three quarters of the training clips and scores the rest, in turn.
    The mean and standard deviation of the logarithms of these held-out scores put it on a common
    scale, so that one for which new recordings of the healthy machine look strange is trusted
    less. The score is the logarithm of the mean exponential of the standardised values.

    Attributes
    ----------
    members_ : dict of str to Detector
        The members by name, fitted on all training clips.
    centre_, spread_ : ndarray of shape (n_members,)
        Mean and standard deviation of the logarithms of each member's held-out scores.
    usual_ : ndarray of shape (n_members,)
        Mean value of each member's maps of held-out clips.
    """

    name = "auto"
    Config = AutoConfig
    min_clips: ClassVar[int] = 8

    def _fit(self, train: Features, valid: Features, on_epoch: EpochCallback) -> None:  # noqa: ARG002
        names, n_clips = self._affordable(train)
        clips = Part(train, evenly(len(train), n_clips))
        self.members_ = {}
        table = []
        with one_thread():
            for name in tqdm(names, desc="model=auto", unit="member", disable=None):
                table.append(self._held_out(name, clips))
                self.members_[name] = self._member(name).fit(clips, [])
        self.centre_, self.spread_, self.usual_ = np.array(table).T

    @one_thread()
    def score(self, features: Features) -> Scores:
        """How much more unusual than held-out normal clips, on a scale that members share.

        Around 0 for normal clips, in standard deviations of logarithms, ``(n_clips,)``.
        """
        return join(self._standardised(features))

    def explain(self, features: Features) -> list[FloatArray]:
        """Maps of the members in units of what is usual, weighted by their say in the score."""
        weights = softmax(self._standardised(features), axis=0) / self.usual_[:, None]
        maps = [member.explain(features) for member in self.members_.values()]
        return [
            np.asarray(np.tensordot(say, np.stack(parts), axes=1), dtype=np.float32)
            for say, parts in zip(weights.T, zip(*maps, strict=True), strict=True)
        ]

    def _standardised(self, features: Features) -> NDArray[np.float64]:
        """Standardised scores of each member, ``(n_members, n_clips)``."""
        scores = np.stack([member.score(features) for member in self.members_.values()])
        return standardise(scores, self.centre_, self.spread_)

    def _held_out(self, name: str, clips: Features) -> tuple[float, float, float]:
        """Mean and spread of a member's scores, and mean of its maps, of clips it did not see."""
        scores: list[float] = []
        maps: list[float] = []
        for outside, inside in folds(len(clips)):
            member = self._member(name).fit(Part(clips, outside), [])
            scores += member.score(Part(clips, inside)).tolist()
            explained = Part(clips, inside[evenly(len(inside), _EXPLAINED_CLIPS)])
            maps += [float(found.mean()) for found in member.explain(explained)]
        centre, spread = centre_and_spread(np.array(scores))
        logger.debug("%s: logarithms of held-out scores %.4g +- %.4g", name, centre, spread)
        return centre, spread, float(np.mean(maps)) or 1.0

    def _member(self, name: str) -> Detector[Any]:
        kind = detector_class(name)
        return kind(kind.Config.parse({"level": self.config.level}), self.seed)

    def _affordable(self, train: Features) -> tuple[list[str], int]:
        """Members, and number of training clips, that the budget has room for."""
        sampled = evenly(len(train), _SAMPLED_CLIPS)
        n_frames = float(np.mean([train[int(index)].shape[1] for index in sampled]))
        names = list(_MEMBERS)
        while True:
            most = int(self.config.budget_s / n_frames / sum(_MEMBERS[name] for name in names))
            if len(names) == 1 or most >= min(len(train), _ENOUGH_CLIPS):
                break
            names.pop()
        n_clips = min(len(train), max(most, self.min_clips))
        if len(names) < len(_MEMBERS) or n_clips < len(train):
            logger.info("%s learn from %d of %d clips", ", ".join(names), n_clips, len(train))
        return names, n_clips

    def _state(self) -> dict[str, NDArray[Any]]:
        own = {
            "members": np.array(list(self.members_)),
            "centre": self.centre_,
            "spread": self.spread_,
            "usual": self.usual_,
        }
        for name, member in self.members_.items():
            own |= {f"{name}.{key}": value for key, value in member._state().items()}
        return own

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.centre_, self.spread_, self.usual_ = (
            state[key] for key in ("centre", "spread", "usual")
        )
        self.members_ = {}
        for name in state["members"].tolist():
            member = self._member(name)
            start = f"{name}."
            parts = {key.removeprefix(start): state[key] for key in state if key.startswith(start)}
            member._restore(parts)
            self.members_[name] = member
