"""Contract tests that a detector or a front end of your own can inherit; they need pytest."""

from asd.testing.detectors import DetectorContract
from asd.testing.front_ends import FrontEndContract

__all__ = ["DetectorContract", "FrontEndContract"]
