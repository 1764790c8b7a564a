"""Score recordings of any length: ``mlflow run . -e score``."""

from asd.config.steps import ScoreConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("score", ScoreConfig)
