"""Search detectors and their parameters: ``mlflow run . -e sweep``."""

from asd.config.steps import SweepConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("sweep", SweepConfig)
