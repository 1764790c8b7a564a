"""Take over a checkpoint of the original CNN or LSTM as a model like any other."""

from pathlib import Path

from asd.config.steps import FitConfig, ImportConfig
from asd.data.opening import open_dataset
from asd.detectors.nets.legacy import import_checkpoint
from asd.features.store import FeatureCache
from asd.steps.train import finish, log_settings
from asd.tracking.models import ModelRef
from asd.tracking.runs import step_run
from asd.tracking.store import cache_root


def run(config: ImportConfig) -> ModelRef:
    """Log the detector in `checkpoint`, with a threshold fitted on the validation side of `data`.

    Raises
    ------
    AsdError
        The checkpoint is not one of the original networks, or the data set cannot be used.
    """
    path = Path(config.checkpoint)
    with step_run("import", {"checkpoint": path, "data": config.data}) as tracked:
        detector, features = import_checkpoint(path)
        tracked.rename(f"import {detector.name}")
        tracked.log_params({"detector": detector.name, **detector.config.flat("detector.")})
        dataset = open_dataset(config.data)
        # The weights are what they are: there is nothing to fit again without a fold.
        threshold = config.threshold.model_copy(update={"calibration": "split"})
        log_settings(FitConfig(threshold=threshold), features, dataset, tracked)
        cache = FeatureCache(cache_root(), features)
        made = f"imported {detector.name} from {path}, with a threshold for {dataset.root}"
        return finish(detector, cache, dataset, threshold, 0.0, tracked, made)
