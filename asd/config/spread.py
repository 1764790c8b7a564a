"""Where the work of a step is done; shared by all steps that work on many files."""

from typing import Literal

from pydantic import Field, model_validator

from asd.config.base import Config
from asd.language import tr


class SpreadConfig(Config):
    """The processes that share the work. What comes out does not depend on them.

    So these fields belong to no run and no model: steps do not log them.
    """

    backend: Literal["loky", "dask"] = Field("loky", exclude=True)
    """Who shares the work: `loky`, processes of this machine, or `dask`, the workers of a
    cluster."""
    scheduler: str = Field("", exclude=True)
    """Address of the Dask scheduler, as tcp://host:8786, for backend=dask."""

    @model_validator(mode="after")
    def _scheduler_of_dask(self) -> "SpreadConfig":
        if self.backend == "dask" and not self.scheduler:
            raise ValueError(
                tr("backend=dask needs the scheduler's address, scheduler=tcp://host:8786")
            )
        if self.scheduler and self.backend != "dask":
            raise ValueError(
                tr(
                    "scheduler={scheduler} is for backend=dask, which is not set",
                    scheduler=self.scheduler,
                )
            )
        return self
