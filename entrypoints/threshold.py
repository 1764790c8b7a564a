"""Give a model another threshold, without training: ``mlflow run . -e threshold``."""

from asd.config.steps import MoveThresholdConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("threshold", MoveThresholdConfig)
