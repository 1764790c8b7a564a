"""What each entry point can be told: one config class a step."""

from asd.config.steps.data import AugmentConfig, CutConfig, ExtractConfig, PreprocessConfig
from asd.config.steps.fitting import (
    CompareConfig,
    FitConfig,
    ImportConfig,
    SweepConfig,
    TrainConfig,
    TrainMachinesConfig,
)
from asd.config.steps.judging import (
    EvaluateConfig,
    MoveThresholdConfig,
    RecalibrateConfig,
    ScoreConfig,
    UseConfig,
)
from asd.config.steps.promotion import PromoteConfig, RollbackConfig
from asd.config.steps.values import DEMO, DEMO_DATA
from asd.config.steps.whole import MainConfig

__all__ = [
    "DEMO",
    "DEMO_DATA",
    "AugmentConfig",
    "CompareConfig",
    "CutConfig",
    "EvaluateConfig",
    "ExtractConfig",
    "FitConfig",
    "ImportConfig",
    "MainConfig",
    "MoveThresholdConfig",
    "PreprocessConfig",
    "PromoteConfig",
    "RecalibrateConfig",
    "RollbackConfig",
    "ScoreConfig",
    "SweepConfig",
    "TrainConfig",
    "TrainMachinesConfig",
    "UseConfig",
]
