"""Score the test clips with a trained model: ``mlflow run . -e evaluate``."""

from asd.config.steps import EvaluateConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("evaluate", EvaluateConfig)
