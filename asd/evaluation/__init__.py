"""Thresholds, metrics and figures: what scores mean."""
