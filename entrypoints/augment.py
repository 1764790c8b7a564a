"""Shift clips in pitch and lay sounds over them: ``mlflow run . -e augment``."""

from asd.config.steps import AugmentConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("augment", AugmentConfig)
