"""Give a model a threshold for another unit: ``mlflow run . -e recalibrate``."""

from asd.config.steps import RecalibrateConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("recalibrate", RecalibrateConfig)
