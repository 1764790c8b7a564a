"""Which data set a pipeline comes from."""

from dataclasses import dataclass
from typing import Self

from asd.data.manifest import Dataset


@dataclass(frozen=True)
class TrainedOn:
    """The data set that a pipeline was fitted and calibrated on."""

    name: str
    path: str
    digest: str

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Name, folder and digest of a data set."""
        return cls(dataset.name, str(dataset.root), dataset.digest)
