"""The pipeline: front ends, detectors, fusion and decision; what is fitted, saved and served."""
