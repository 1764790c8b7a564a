"""Anomalous sound detection, tracked by MLflow.

Importing this package loads nothing heavy: each layer is imported where it is used.
"""

__version__ = "0.1.0"
