"""Cut recordings into a data set of clips: ``mlflow run . -e preprocess``."""

from asd.config.steps import PreprocessConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("preprocess", PreprocessConfig)
