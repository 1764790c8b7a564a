"""Set many detectors on many data sets in one table: ``mlflow run . -e compare``."""

from asd.config.steps import CompareConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("compare", CompareConfig)
