"""MLflow and Optuna: the store, runs, models and the registry; studies and their trials.

No other package imports either of them.
"""
