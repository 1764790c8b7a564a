"""Take over a checkpoint of the original CNN or LSTM as a model like any other."""

from pathlib import Path

from asd.config.recipe import Branch, Recipe
from asd.config.steps import ImportConfig
from asd.data.opening import open_dataset
from asd.detectors.nets.legacy import import_checkpoint
from asd.language import tr
from asd.pipeline.pipeline import Pipeline
from asd.steps.train import log_model
from asd.tracking.models import ModelRef
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import data_params


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
        branch = Branch(
            label=detector.name,
            model=detector.name,
            detector=detector.config.model_dump(mode="json"),
            features={"name": "logmel", **features.model_dump(mode="json")},
        )
        # The weights are what they are: there is nothing to fit again without a fold.
        threshold = config.threshold.model_copy(update={"calibration": "split"})
        recipe = Recipe(label=detector.name, branches=(branch,), threshold=threshold)
        dataset = open_dataset(config.data)
        tracked.rename(f"import {detector.name} for {dataset.name}")
        tracked.log_params({**recipe.flat(), **data_params(dataset)})
        valid = dataset.split("valid")
        store = feature_store()
        pipeline, report = Pipeline.adopt(recipe, detector, valid, store)
        made = tr(
            "imported {detector} from {path}, with a threshold for {data}",
            detector=detector.name,
            path=path,
            data=dataset.root,
        )
        return log_model(pipeline, report, dataset, tracked, made)
