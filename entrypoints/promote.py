"""Make a better model the champion: ``mlflow run . -e promote``."""

from asd.config.steps import PromoteConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("promote", PromoteConfig)
