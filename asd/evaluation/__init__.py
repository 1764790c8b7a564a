"""Metrics and figures: how good scores are."""
