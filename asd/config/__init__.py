"""Typed configuration: YAML files plus dotted overrides."""

from asd.config.base import Config, flatten
from asd.config.features import FrontEndConfig, LogMelConfig
from asd.config.threshold import ThresholdConfig

__all__ = ["Config", "FrontEndConfig", "LogMelConfig", "ThresholdConfig", "flatten"]
