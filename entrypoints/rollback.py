"""Make the previous champion the champion again: ``mlflow run . -e rollback``."""

from asd.config.steps import RollbackConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("rollback", RollbackConfig)
