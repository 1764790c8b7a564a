"""The pipeline: front ends, detectors, fusion and decision; what is fitted, saved and served."""

from asd.pipeline.pipeline import Pipeline, TrainedOn, Verdict, Window

__all__ = ["Pipeline", "TrainedOn", "Verdict", "Window"]
