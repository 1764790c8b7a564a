"""From recordings to a champion: ``mlflow run . -e main``."""

from asd.config.steps import MainConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("main", MainConfig)
