"""One score from those of several branches."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from asd.arrays import Matrix, Scores, Vector
from asd.config.recipe import Fusion as Kind
from asd.config.recipe import Recipe
from asd.detectors._fusion import centre_and_spread, standardise


@dataclass(frozen=True, eq=False)
class Fusion:
    """Puts the scores of branches on one scale, and makes them one.

    The logarithms of a branch's scores are standardised by the mean and standard deviation of
    those of normal clips that it had not seen: a branch for which new recordings of the healthy
    machine look strange has less of a say. Scores of a single branch stay as they are.
    """

    kind: Kind
    """How standardised scores become one."""
    centre: Vector
    """Mean of the logarithms of each branch's out-of-fold scores, ``(n_branches,)``."""
    spread: Vector
    """Standard deviation of the same, ``(n_branches,)``."""
    shares: Vector
    """Weight of each branch, ``(n_branches,)``; they add up to 1."""

    @classmethod
    def fit(cls, recipe: Recipe, out_of_fold: Matrix) -> Self:
        """Fit the scale of each branch.

        Parameters
        ----------
        recipe : Recipe
            Its `fusion`, and the weights of its branches.
        out_of_fold : ndarray of shape (n_branches, n_clips)
            Scores of normal clips by detectors that have not seen them.
        """
        weights = np.array([branch.weight for branch in recipe.branches])
        shares = weights / weights.sum()
        if len(shares) == 1:
            return cls(recipe.fusion, np.zeros(1), np.ones(1), shares)
        centre, spread = np.array([centre_and_spread(scores) for scores in out_of_fold]).T
        return cls(recipe.fusion, centre, spread, shares)

    def __call__(self, scores: Matrix) -> Scores:
        """One score a clip from ``(n_branches, n_clips)``: ``(n_clips,)``."""
        if len(scores) == 1:
            return np.asarray(scores[0], dtype=np.float64)
        standard = standardise(scores, self.centre, self.spread)
        if self.kind == "logmeanexp":
            return np.asarray(logsumexp(standard, axis=0, b=self.shares[:, None]))
        return np.asarray(self.shares @ standard, dtype=np.float64)

    def weights(self, scores: Matrix) -> Matrix:
        """The say of each branch in the score of each clip, ``(n_branches, n_clips)``.

        What a branch adds to the score above the others; the weights of a clip add up to 1.
        """
        if len(scores) == 1:
            return np.ones_like(scores)
        standard = standardise(scores, self.centre, self.spread)
        # Differences matter, not their size: one strange branch must not silence the others.
        exponents = np.exp(np.clip(standard - standard.max(axis=0), -50, 0))
        say: Matrix = self.shares[:, None] * exponents
        say /= say.sum(axis=0)
        return say

    def times_usual(self, scores: Matrix) -> Scores:
        """How many times the usual the score of each clip is, ``(n_clips,)``.

        The mean over branches, by their `weights`, of a score to what is typical of normal clips.
        """
        typical = np.exp(self.centre)[:, None]
        ratios: Scores = (self.weights(scores) * scores / typical).sum(axis=0)
        return ratios

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        return {
            "kind": self.kind,
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "shares": self.shares.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        arrays = (np.asarray(values[key]) for key in ("centre", "spread", "shares"))
        return cls(values["kind"], *arrays)
