"""Thresholds, p-values and verdicts: what scores mean for windows, recordings and events."""
