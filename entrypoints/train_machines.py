"""Fit a detector for each of many machines: ``mlflow run . -e train_machines``."""

from asd.config.steps import TrainMachinesConfig
from entrypoints._launch import launch

if __name__ == "__main__":
    launch("train_machines", TrainMachinesConfig)
