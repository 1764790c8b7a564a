"""Take the sound out of videos: ``mlflow run . -e extract``."""

from asd.config.steps import ExtractConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("extract", ExtractConfig)
