"""Take over a checkpoint of the original scripts: ``mlflow run . -e import``."""

from asd.config.steps import ImportConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("import_checkpoint", ImportConfig)
