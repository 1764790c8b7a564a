"""The contract that every front end keeps.

A front end is one file ``asd/features/<name>.py`` with one public subclass of `FrontEnd`. It is
found by its file name: nothing else needs to change for it to appear in ``features.name=<name>``
and in recipes.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from asd.arrays import Samples, Spectrogram, Vector
from asd.config.features import FrontEndConfig
from asd.language import tr

C = TypeVar("C", bound=FrontEndConfig)


@dataclass(frozen=True, eq=False)
class Axes:
    """What the rows and columns of a front end's output mean."""

    rows: Vector
    """Centre of each row, ``(n_rows,)``, rising."""
    row_unit: str
    """Unit of `rows`: ``Hz``, or ``dimension`` where rows have no physical meaning."""
    seconds_per_frame: float
    """Time from one column to the next."""
    value: str
    """What the values are, with their unit, as the label of a colour bar."""
    in_db: bool = True
    """Whether the values are levels in decibels."""


def level_in_db(relative: bool) -> str:
    """What `Axes.value` calls levels in dB, relative to the clip's own level or not."""
    return tr("Level (dB, relative)") if relative else tr("Level (dB)")


class FrontEnd(ABC, Generic[C]):
    """Turns the samples of one clip into rows over time.

    Parameters
    ----------
    config : FrontEndConfig
        The front end's own configuration.
    """

    name: ClassVar[str]
    """The file's name, the word after ``features.name=``."""
    version: ClassVar[int] = 1
    """Raised whenever the same samples and config would give other values; part of `key`."""
    Config: ClassVar[type[FrontEndConfig]]
    """The front end's own configuration class."""

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the samples that `__call__` takes."""
        return self.config.sample_rate

    @cached_property
    def key(self) -> str:
        """Digest of all that determines the values, 16 hex digits: the name of a store's folder."""
        return hashlib.sha256(self.description.encode()).hexdigest()[:16]

    @property
    def description(self) -> str:
        """What `key` is a digest of, as JSON for people to read."""
        values = {"name": self.name, "version": self.version, **self.config.model_dump(mode="json")}
        return json.dumps(values, sort_keys=True, indent=2)

    @abstractmethod
    def axes(self) -> Axes:
        """What rows and columns mean."""

    def level(self, values: Spectrogram) -> float:  # noqa: ARG002
        """What is taken off all values of a clip, ``(n_rows, n_frames)``, as its level."""
        return 0.0

    @abstractmethod
    def __call__(self, samples: Samples) -> Spectrogram:
        """Features of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            Finite samples at `sample_rate`, full scale ±1, at least one.

        Returns
        -------
        ndarray of shape (n_rows, n_frames), float32
            Finite; at least one frame. The same samples give the same values, bit for bit, on any
            number of threads.
        """
