"""Fit a detector and log it as a model: ``mlflow run . -e train``."""

from asd.config.steps import TrainConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("train", TrainConfig)
